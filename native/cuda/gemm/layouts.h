// Layouts map element (r, k) of a product to token and channel of a tensor [tokens, C]. They are the morph
// permutations, used by loads (Gather) and stores (Scatter): no permuted tensor exists. native/cpu/gemm/morph_gather.h
// describes the same rows. can_vectorize(n): whether n values of a row, from a multiple of n on, are n adjacent
// channels of one token.
#pragma once
#include "cuda/gemm/operands.h"
#include "ops/morph_fc.h"
#include "ops/temporal_fc.h"

namespace morphmlp::cuda {

// Row r is token r.
struct PlainLayout {
  using Row = int64_t;
  bool can_vectorize(int) const { return true; }

  __device__ Row row(int r) const { return r; }
  __device__ bool locate(Row r, int k, int64_t* token, int* channel) const {
    *token = r;
    *channel = k;
    return true;
  }
};

// Row (frame, chunk j, group g): value l S + s is token l of the chunk, channel g S + s.
struct MorphLayout {
  explicit MorphLayout(const MorphFcShape& at)
      : pixels(as_int(at.height * at.width)),
        width(as_int(at.width)),
        chunk(as_int(at.chunk)),
        chunks(as_int(blocks_of(at.height * at.width, at.chunk))),
        by_groups(at.groups),
        by_chunks(chunks > 0 ? chunks : 1),
        by_run(at.channels > 0 ? at.channels / at.groups : 1),
        by_height(at.height > 0 ? at.height : 1),
        rows(at.frames * chunks * at.groups),
        length(at.row()),
        vertical(at.vertical),
        strided(at.strided) {}

  struct Row {
    int64_t frame;  // its first token
    int j, g;
  };
  bool can_vectorize(int n) const { return static_cast<int>(by_run.d) % n == 0; }

  __device__ Row row(int r) const {
    const int unit = by_groups.quotient(r), frame = by_chunks.quotient(unit);
    return {static_cast<int64_t>(frame) * pixels, by_chunks.remainder(unit, frame), by_groups.remainder(r, unit)};
  }

  // False beyond the end of the frame: read as zero, not written.
  __device__ bool locate(const Row& r, int k, int64_t* token, int* channel) const {
    const int l = by_run.quotient(k), s = by_run.remainder(k, l);
    const int n = strided ? l * chunks + r.j : r.j * chunk + l;
    const int column = by_height.quotient(n);
    const int pixel = vertical ? by_height.remainder(n, column) * width + column : n;
    *token = r.frame + pixel;
    *channel = r.g * static_cast<int>(by_run.d) + s;
    return n < pixels;
  }

  int pixels, width, chunk, chunks;
  Divisor by_groups, by_chunks, by_run, by_height;
  int64_t rows, length;
  bool vertical, strided;
};

// Row (clip, position, group g): value t S + s is the position at step t, channel g S + s.
struct TemporalLayout {
  explicit TemporalLayout(const TemporalFcShape& at)
      : steps(as_int(at.steps)),
        positions(as_int(at.positions)),
        by_groups(at.groups),
        by_positions(at.positions > 0 ? at.positions : 1),
        by_run(at.channels > 0 ? at.channels / at.groups : 1),
        rows(at.clips * at.positions * at.groups),
        length(at.steps * (at.channels / at.groups)) {
    as_int(at.clips * at.steps * at.positions);  // tokens are counted in 32 bits
  }

  struct Row {
    int first;  // the token at step 0
    int g;
  };
  bool can_vectorize(int n) const { return static_cast<int>(by_run.d) % n == 0; }

  __device__ Row row(int r) const {
    const int unit = by_groups.quotient(r), clip = by_positions.quotient(unit);
    const int first = clip * steps * positions + by_positions.remainder(unit, clip);
    return {first, by_groups.remainder(r, unit)};
  }

  __device__ bool locate(const Row& r, int k, int64_t* token, int* channel) const {
    const int t = by_run.quotient(k);
    *token = r.first + t * positions;
    *channel = r.g * static_cast<int>(by_run.d) + by_run.remainder(k, t);
    return true;
  }

  int steps, positions;
  Divisor by_groups, by_positions, by_run;
  int64_t rows, length;
};

// Matrix whose rows are gathered from tokens through a layout.
template <class Layout, class Tokens>
struct Gather {
  Layout layout;
  Tokens tokens;

  using Row = typename Layout::Row;
  __device__ Row row(int r) const { return layout.row(r); }
  __device__ float at(const Row& r, int k) const { return read<1>(r, k).at[0]; }

  bool can_vectorize(int n) const { return layout.can_vectorize(n) && tokens.can_vectorize(n); }
  // Values k .. k + N - 1, for k a multiple of N and can_vectorize(N).
  template <int N>
  __device__ Vec<N> read(const Row& r, int k) const {
    int64_t token;
    int channel;
    return layout.locate(r, k, &token, &channel) ? tokens.template read<N>(token, channel) : Vec<N>{};
  }
  // Their address, for stored tokens; null for zeros.
  using Stored = typename StoredAs<Tokens>::type;
  __device__ const Stored* address(const Row& r, int k) const {
    int64_t token;
    int channel;
    return layout.locate(r, k, &token, &channel) ? tokens.address(token, channel) : nullptr;
  }
};

// Matrix whose results are scattered through a layout, one at a time or, where `pairs`, two from an even k on.
template <class Layout, class Epilogue>
struct Scatter {
  Layout layout;
  Epilogue to;
  bool pairs;

  using Row = typename Layout::Row;
  __device__ Row row(int r) const { return layout.row(r); }
  template <int N>
  __device__ void apply(const Row& r, int k, float (&value)[N]) const {
    int64_t token;
    int channel;
    if (layout.locate(r, k, &token, &channel)) to.apply(token, channel, k, value);
  }
  template <int N>
  __device__ void write(const Row& r, int k, const float (&value)[N]) const {
    int64_t token;
    int channel;
    if (layout.locate(r, k, &token, &channel)) to.write(token, channel, value);
  }
};

template <class Layout, class Tokens>
Gather<Layout, Tokens> gather(const Layout& layout, const Tokens& tokens) {
  return {layout, tokens};
}

template <class Layout, class Epilogue>
Scatter<Layout, Epilogue> scatter(const Layout& layout, const Epilogue& to) {
  return {layout, to, layout.can_vectorize(2) && to.pairs()};
}

}  // namespace morphmlp::cuda
