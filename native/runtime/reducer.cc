#include "runtime/reducer.h"

#include <algorithm>
#include <numeric>

#include "runtime/error.h"

namespace morphmlp {
namespace {

// Addition's identity: x + -0 = x for every x, also for -0.
constexpr float kNothing = -0.0f;

int64_t total_of(const std::vector<std::shared_ptr<Buffer>>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), int64_t{0},
                         [](int64_t n, const auto& t) { return n + t->length; });
}

}  // namespace

double Reducer::run(const Reduction& r) {
  total_ = total_of(r.sums);
  r.fast ? fast(r) : exact(r);
  exchange_.finish();
  return 8.0 * static_cast<double>(total_) * (size_ - 1) / size_;
}

void Reducer::exact(const Reduction& r) {
  const int64_t each = r.slices / size_;
  std::vector<std::vector<SliceNode<int>>> parts;
  for (int rank = 0; rank < size_; ++rank) parts.push_back(nodes_of(rank * each, each));
  depth_ = 0;
  for (const auto& part : parts) depth_ = std::max(depth_, static_cast<int64_t>(part.size()));
  shard_ = (total_ + size_ - 1) / size_;
  exchange_.begin(r.ready.get(), size_ * depth_ * shard_, size_ * depth_ * shard_);
  for (size_t node = 0; node < r.nodes.size(); ++node) pack(r, node);
  exchange_.all_to_all(depth_ * shard_);
  exchange_.all_gather(sum_shard(parts), shard_);
  unpack(r, exchange_.send);
}

// The sum of the shard that this rank owns: the rest of the tree, over what the ranks sent.
float* Reducer::sum_shard(const std::vector<std::vector<SliceNode<int>>>& parts) {
  const auto sum = [&](float* a, float* b) {
    exchange_.add(a, b, shard_);
    return a;
  };
  std::vector<SliceNode<float*>> stack;
  for (size_t rank = 0; rank < parts.size(); ++rank)
    for (size_t node = 0; node < parts[rank].size(); ++node) {
      float* at = exchange_.recv + (static_cast<int64_t>(rank) * depth_ + static_cast<int64_t>(node)) * shard_;
      push_node(stack, SliceNode<float*>{parts[rank][node].first, parts[rank][node].count, at}, sum);
    }
  return collapse(stack, sum);
}

void Reducer::fast(const Reduction& r) {
  shard_ = total_, depth_ = static_cast<int64_t>(r.nodes.size());
  exchange_.begin(r.ready.get(), total_ * depth_, total_);
  for (size_t node = 0; node < r.nodes.size(); ++node) pack(r, node);
  for (int64_t node = 1; node < depth_; ++node) exchange_.add(exchange_.send, exchange_.send + node * total_, total_);
  exchange_.all_reduce(total_);
  unpack(r, exchange_.recv);
}

// Calls visit(tensor, offset in it, position in the shards of a node, length) for each run of a tensor in one shard.
template <class Visit>
void Reducer::each_run(const Reduction& r, Visit&& visit) const {
  int64_t at = 0;
  for (size_t t = 0; t < r.sums.size(); ++t) {
    const int64_t end = at + r.sums[t]->length, begin = at;
    while (at < end) {
      const int64_t length = std::min(end, (at / shard_ + 1) * shard_) - at;
      visit(t, at - begin, at, length);
      at += length;
    }
  }
}

void Reducer::pack(const Reduction& r, size_t node) {
  each_run(r, [&](size_t t, int64_t offset, int64_t at, int64_t length) {
    float* to = exchange_.send + (at / shard_ * depth_ + static_cast<int64_t>(node)) * shard_ + at % shard_;
    const Buffer* from = r.nodes[node][t].get();
    if (from)
      exchange_.copy(to, static_cast<const float*>(from->data) + offset, length);
    else
      exchange_.fill(to, kNothing, length);
  });
}

void Reducer::unpack(const Reduction& r, const float* sums) {
  each_run(r, [&](size_t t, int64_t offset, int64_t at, int64_t length) {
    exchange_.copy(static_cast<float*>(r.sums[t]->data) + offset, sums + at, length);
  });
}

void check_reduction(const Reduction& r, int rank, int size) {
  if (r.slices < 1 || r.slices % size != 0) fail("the number of slices must be a multiple of the ranks");
  const int64_t each = r.slices / size;
  if (nodes_of(rank * each, each).size() != r.nodes.size()) fail("the nodes are not those of this rank's slices");
  for (const auto& node : r.nodes) {
    if (node.size() != r.sums.size()) fail("every node must have all tensors");
    for (size_t t = 0; t < node.size(); ++t)
      if (node[t] && node[t]->length != r.sums[t]->length) fail("a tensor of a node has not the length of its sum");
  }
  for (const auto& sum : r.sums)
    if (sum->device != r.sums[0]->device) fail("the tensors of a sum must be on one device");
}

}  // namespace morphmlp
