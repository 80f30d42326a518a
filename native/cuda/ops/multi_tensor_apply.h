// One launch over many tensors: they are cut into pieces, and a block takes one. The list of pieces is copied to the
// device for each call: 40 bytes for 16384 numbers.
#pragma once
#include "cuda/numbers.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

constexpr int kPieceLength = 1 << 14;

// Up to four tensors side by side, from where the piece begins; `length` numbers of each.
struct Piece {
  float* at[4];
  int64_t length;
};

// Of lists of tensors of the same lengths; a list that is only read loses its const here, and is not written.
template <size_t kLists>
std::vector<Piece> pieces_of(const std::vector<int64_t>& lengths, float* const* const (&lists)[kLists]) {
  static_assert(kLists <= 4, "a piece has room for four");
  std::vector<Piece> pieces;
  for (size_t t = 0; t < lengths.size(); ++t)
    for (int64_t begin = 0; begin < lengths[t]; begin += kPieceLength) {
      Piece piece{{}, std::min<int64_t>(kPieceLength, lengths[t] - begin)};
      for (size_t i = 0; i < kLists; ++i) piece.at[i] = lists[i][t] + begin;
      pieces.push_back(piece);
    }
  return pieces;
}

inline float* const* written(const std::vector<float*>& list) { return list.data(); }
inline float* const* read_only(const std::vector<const float*>& list) { return const_cast<float* const*>(list.data()); }

// Whether all tensors of a piece may be read four numbers at once. Pieces of one tensor lie alike.
inline __device__ bool in_quads(const Piece& piece) {
  bool all = true;
  for (const float* at : piece.at) all = all && reinterpret_cast<uintptr_t>(at) % 16 == 0;
  return all;
}

// body.run<N>(piece, i): N numbers from the i-th on, for all of each piece.
template <class Body>
struct EachOfMany : Unshared {
  const Piece* pieces;
  Body body;

  __device__ void operator()(None&) const {
    const Piece piece = pieces[blockIdx.x];
    const int64_t quads = in_quads(piece) ? piece.length / 4 : 0, thread = threadIdx.x;
    for (int64_t i = thread; i < quads; i += kThreads) body.template run<4>(piece, 4 * i);
    for (int64_t i = 4 * quads + thread; i < piece.length; i += kThreads) body.template run<1>(piece, i);
  }
};

template <class Body>
void launch_many(const std::vector<Piece>& pieces, const Body& body) {
  const Uploaded<Piece> list(pieces);
  launch({static_cast<int64_t>(pieces.size())}, EachOfMany<Body>{{}, list.data(), body});
}

}  // namespace morphmlp::cuda
