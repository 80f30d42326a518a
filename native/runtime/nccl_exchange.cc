// Exchange of device memory by NCCL, with a communicator that does not block: every call may go on in the background,
// and is waited for by ncclCommGetAsyncError, so that a rank that does not arrive is noticed.
#include <algorithm>
#include <utility>

#include "runtime/error.h"
#include "runtime/exchange.h"
#include "runtime/nccl.h"

namespace morphmlp {
namespace {

namespace side = cuda::side;

class NcclExchange : public Exchange {
 public:
  NcclExchange(const std::string& library, Link& link, Until until)
      : nccl_(load_nccl(library)), size_(link.size), until_(std::move(until)) {
    Nccl::UniqueId id{};
    if (link.rank == 0) settle(nccl_.get_unique_id(&id), "ncclGetUniqueId");
    link.broadcast(&id, sizeof id, 0);
    until_([&] { return link.done(); });
    Nccl::Config config;
    settle(nccl_.comm_init_rank_config(&comm_, size_, id, link.rank, &config), "ncclCommInitRankConfig");
  }

  void begin(const cuda::Event* ready, int64_t to_send, int64_t to_receive) override {
    reserve(sent_, to_send), reserve(received_, to_receive);
    send = sent_.data, recv = received_.data;
    side::after(*ready);
  }

  void copy(float* to, const float* from, int64_t n) override { side::copy(to, from, n); }
  void fill(float* to, float value, int64_t n) override { side::fill(to, value, n); }
  void add(float* into, const float* from, int64_t n) override { side::add(into, from, n); }

  void all_to_all(int64_t each) override {
    const auto count = static_cast<size_t>(each);
    check(nccl_.group_start(), "ncclGroupStart");
    for (int r = 0; r < size_; ++r) {
      queue(nccl_.send(send + r * each, count, Nccl::kFloat, r, comm_, side::stream()), "ncclSend");
      queue(nccl_.recv(recv + r * each, count, Nccl::kFloat, r, comm_, side::stream()), "ncclRecv");
    }
    settle(nccl_.group_end(), "ncclGroupEnd");
  }

  void all_gather(const float* from, int64_t each) override {
    const auto count = static_cast<size_t>(each);
    settle(nccl_.all_gather(from, send, count, Nccl::kFloat, comm_, side::stream()), "ncclAllGather");
  }

  void all_reduce(int64_t n) override {
    const auto count = static_cast<size_t>(n);
    settle(nccl_.all_reduce(send, recv, count, Nccl::kFloat, Nccl::kSum, comm_, side::stream()), "ncclAllReduce");
  }

  void finish() override {
    const std::unique_ptr<cuda::Event> done = side::mark();
    until_([&] {
      check(state(), "a sum of gradients");
      return done->passed();
    });
  }

  void close() override {
    settle(nccl_.comm_finalize(comm_), "ncclCommFinalize");
    check(nccl_.comm_destroy(std::exchange(comm_, nullptr)), "ncclCommDestroy");
  }

  void abort() override {
    if (comm_) nccl_.comm_abort(std::exchange(comm_, nullptr));
  }

 private:
  struct Room {
    float* data = nullptr;
    int64_t size = 0;
  };

  // Nothing is under way: each sum is waited for.
  static void reserve(Room& room, int64_t n) {
    if (n <= room.size) return;
    side::release(std::exchange(room.data, nullptr));
    room.size = 0;
    room.data = side::allocate(n);
    room.size = n;
  }

  int state() const {
    int result = Nccl::kSuccess;
    const int asked = nccl_.comm_get_async_error(comm_, &result);
    return asked == Nccl::kSuccess ? result : asked;
  }

  void check(int result, const char* what) const {
    if (result == Nccl::kSuccess) return;
    const char* detail = comm_ ? nccl_.get_last_error(comm_) : nullptr;
    std::string text = std::string("NCCL, ") + what + ": " + nccl_.get_error_string(result);
    if (detail && *detail) text += std::string(" (") + detail + ")";
    fail(text + "; NCCL_DEBUG=INFO says more");
  }

  // A call within a group: it may be under way until the group's end.
  void queue(int result, const char* what) const {
    if (result != Nccl::kInProgress) check(result, what);
  }

  // Waits until NCCL has queued the work on the GPU.
  void settle(int result, const char* what) {
    if (result == Nccl::kInProgress) until_([&] { return (result = state()) != Nccl::kInProgress; });
    check(result, what);
  }

  Nccl nccl_;
  Nccl::Comm comm_ = nullptr;
  int size_;
  Until until_;
  Room sent_, received_;  // kept from one sum to the next
};

}  // namespace

std::unique_ptr<Exchange> nccl_exchange(const std::string& library, Link& link, Until until) {
  return std::make_unique<NcclExchange>(library, link, std::move(until));
}

}  // namespace morphmlp
