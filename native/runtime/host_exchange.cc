#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/exchange.h"

namespace morphmlp {
namespace {

class HostExchange : public Exchange {
 public:
  HostExchange(Link& link, Until until) : link_(link), until_(std::move(until)) {}

  void begin(const cuda::Event*, int64_t to_send, int64_t to_receive) override {
    sent_.resize(static_cast<size_t>(to_send));
    received_.resize(static_cast<size_t>(to_receive));
    send = sent_.data(), recv = received_.data();
  }

  void copy(float* to, const float* from, int64_t n) override { std::copy_n(from, n, to); }
  void fill(float* to, float value, int64_t n) override { std::fill_n(to, n, value); }
  void add(float* into, const float* from, int64_t n) override {
    for (int64_t i = 0; i < n; ++i) into[i] += from[i];
  }

  void all_to_all(int64_t each) override {
    link_.all_to_all(send, recv, each);
    complete();
  }
  void all_gather(const float* from, int64_t each) override {
    link_.gather(from, send, static_cast<size_t>(each) * sizeof(float));
    complete();
  }
  void all_reduce(int64_t n) override {
    link_.all_reduce(send, recv, n);
    complete();
  }
  void finish() override {}

 private:
  void complete() {
    until_([this] { return link_.done(); });
  }

  Link& link_;
  Until until_;
  std::vector<float> sent_, received_;  // kept from one sum to the next
};

}  // namespace

std::unique_ptr<Exchange> host_exchange(Link& link, Until until) {
  return std::make_unique<HostExchange>(link, std::move(until));
}

}  // namespace morphmlp
