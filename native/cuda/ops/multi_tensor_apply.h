// One launch over many tensors, cut into chunks of which a block processes one. The list of chunks is copied to the
// device at each call: 40 bytes for 16384 values.
#pragma once
#include "cuda/numbers.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

constexpr int kChunkLength = 1 << 14;

// One range of up to four tensors.
struct TensorChunk {
  float* at[4];
  int64_t length;
};

// Chunks of lists of tensors of the same lengths. A read-only list loses its const here and is not written.
template <size_t kLists>
std::vector<TensorChunk> chunks_of_tensors(const std::vector<int64_t>& lengths, float* const* const (&lists)[kLists]) {
  static_assert(kLists <= 4, "a chunk has room for four");
  std::vector<TensorChunk> chunks;
  for (size_t t = 0; t < lengths.size(); ++t)
    for (int64_t begin = 0; begin < lengths[t]; begin += kChunkLength) {
      TensorChunk chunk{{}, std::min<int64_t>(kChunkLength, lengths[t] - begin)};
      for (size_t i = 0; i < kLists; ++i) chunk.at[i] = lists[i][t] + begin;
      chunks.push_back(chunk);
    }
  return chunks;
}

inline float* const* written(const std::vector<float*>& list) { return list.data(); }
inline float* const* read_only(const std::vector<const float*>& list) { return const_cast<float* const*>(list.data()); }

// Whether all tensors of a chunk can be read four values at once. Chunks of a tensor have the same alignment.
inline __device__ bool in_quads(const TensorChunk& chunk) {
  bool all = true;
  for (const float* at : chunk.at) all = all && reinterpret_cast<uintptr_t>(at) % 16 == 0;
  return all;
}

// Calls body.run<N>(chunk, i) for N values from the i-th on, over the whole chunk.
template <class Body>
struct MultiTensorApply : Unshared {
  const TensorChunk* chunks;
  Body body;

  __device__ void operator()(None&) const {
    const TensorChunk chunk = chunks[blockIdx.x];
    const int64_t quads = in_quads(chunk) ? chunk.length / 4 : 0, thread = threadIdx.x;
    for (int64_t i = thread; i < quads; i += kThreads) body.template run<4>(chunk, 4 * i);
    for (int64_t i = 4 * quads + thread; i < chunk.length; i += kThreads) body.template run<1>(chunk, i);
  }
};

template <class Body>
void multi_tensor_apply(const std::vector<TensorChunk>& chunks, const Body& body) {
  const Uploaded<TensorChunk> list(chunks);
  launch({static_cast<int64_t>(chunks.size())}, MultiTensorApply<Body>{{}, list.data(), body});
}

}  // namespace morphmlp::cuda
