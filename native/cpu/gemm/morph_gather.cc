#include "cpu/gemm/morph_gather.h"

#include <cstring>

#include "cpu/gemm/gemm.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// A copy of constant length compiles to a few vector moves. with_length lists the group sizes of the published models.
template <int64_t S>
struct FixedLength {
  explicit FixedLength(int64_t) {}
  static constexpr int64_t length() { return S; }
};

struct DynamicLength {
  explicit DynamicLength(int64_t n) : n(n) {}
  int64_t length() const { return n; }
  int64_t n;
};

template <class F>
void with_length(int64_t length, F&& body) {
  switch (length) {
    case 6:
      return body(FixedLength<6>(length));
    case 7:
      return body(FixedLength<7>(length));
    case 8:
      return body(FixedLength<8>(length));
    case 12:
      return body(FixedLength<12>(length));
    case 14:
      return body(FixedLength<14>(length));
    case 16:
      return body(FixedLength<16>(length));
    case 28:
      return body(FixedLength<28>(length));
    case 49:
      return body(FixedLength<49>(length));
    case 98:
      return body(FixedLength<98>(length));
    default:
      return body(DynamicLength(length));
  }
}

// Calls body(block, offset) for blocks of 8, 4, 2 and 1 floats that cover the length.
template <class Length, class F>
MORPHMLP_INLINE void for_power_of_two_blocks(Length length, F&& body) {
  const int64_t n = length.length();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) body(FixedLength<8>(8), i);
  if (n & 4) body(FixedLength<4>(4), i), i += 4;
  if (n & 2) body(FixedLength<2>(2), i), i += 2;
  if (n & 1) body(FixedLength<1>(1), i);
}

template <class Length, class E>
void gather_token(const MorphLayout& at, Length length, const E* token, E* a) {
  const int64_t stride = at.row_length(), s = length.length();
  for (int64_t g = 0; g < at.groups; ++g) std::memcpy(a + g * stride, token + g * s, sizeof(E) * s);
}

template <class Length, class E>
void clear_token(const MorphLayout& at, Length length, E* a) {
  for (int64_t g = 0; g < at.groups; ++g) std::memset(a + g * at.row_length(), 0, sizeof(E) * length.length());
}

template <class Length, class E>
void scatter_token(const MorphLayout& at, Length length, const E* a, int64_t stride, E* token) {
  const int64_t s = length.length();
  for (int64_t g = 0; g < at.groups; ++g) std::memcpy(token + g * s, a + g * stride, sizeof(E) * s);
}

// to (+)= weight * (from + bias), S floats. A local array lets the compiler vectorise although `to` may alias the
// inputs. Moves are at most S floats wide: a load that overlaps a recent store would stall until it completes.
template <bool kAdd, class Length>
MORPHMLP_INLINE void weight_group(Length length, const float* from, const float* weight, const float* bias, float* to) {
  for_power_of_two_blocks(length, [&](auto block, int64_t i) {
    constexpr int64_t n = decltype(block)::length();
    float value[n];
    std::memcpy(value, to + i, sizeof value);
    for (int64_t s = 0; s < n; ++s) {
      const float product = weight[i + s] * (from[i + s] + bias[i + s]);
      value[s] = kAdd ? value[s] + product : product;
    }
    std::memcpy(to + i, value, sizeof value);
  });
}

template <bool kAdd>
void scatter_weighted_groups(const MorphLayout& at, int64_t first, int64_t last, const float* a, const float* weight,
                             const float* bias, float* y) {
  TokenIndices tokens(at);
  with_length(at.group_channels, [&](auto length) {
    const int64_t stride = at.row_length(), s = length.length();
    for (int64_t chunk = first; chunk < last; ++chunk, a += at.groups * stride) {
      const int64_t* token = tokens.of(chunk);
      for (int64_t l = 0; l < at.chunk_tokens; ++l)
        for (int64_t g = 0; token[l] >= 0 && g < at.groups; ++g)
          weight_group<kAdd>(length, a + g * stride + l * s, weight + g * s, bias + l * s,
                             y + token[l] * at.channels + g * s);
    }
  });
}

// scatter_weighted for chunks of one token: rows of y are contiguous.
template <bool kAdd>
void scatter_weighted_rows(int64_t rows, int64_t n, const float* a, const float* weight, const float* bias, float* y) {
  for (int64_t row = 0; row < rows; ++row, a += n, y += n)
    for_lanes(n, [&](int64_t i, auto get, auto put) {
      const V value = add(get(a + i), get(bias + i));
      put(y + i, kAdd ? fma(get(weight + i), value, get(y + i)) : mul(get(weight + i), value));
    });
}

}  // namespace

// Advances row and column incrementally: a division per token would cost more than copying the token.
void MorphLayout::token_indices(int64_t chunk, int64_t* out) const {
  if (chunks_per_frame == 0) {
    const int64_t start = chunk / frame_tokens * chunk_tokens * frame_tokens + chunk % frame_tokens;
    for (int64_t l = 0; l < chunk_tokens; ++l) out[l] = start + l * frame_tokens;
    return;
  }
  const int64_t j = chunk % chunks_per_frame, frame = chunk / chunks_per_frame * frame_tokens;
  const int64_t start = strided ? j : j * chunk_tokens, step = strided ? chunks_per_frame : 1;
  int64_t row = vertical ? start % height : 0, column = vertical ? start / height : start;
  for (int64_t l = 0, n = start; l < chunk_tokens; ++l, n += step) {
    out[l] = n < frame_tokens ? frame + row * width + column : -1;
    if (!vertical) column += step;
    if (vertical) row += step;
    for (; vertical && row >= height; ++column) row -= height;
  }
}

MorphLayout spatial_layout(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t chunk,
                           bool vertical, bool strided) {
  const int64_t chunks = blocks_of(height * width, chunk);
  return {frames * chunks, chunk, chunk,  channels / chunk, channels, height * width,
          height,          width, chunks, vertical,         strided};
}

MorphLayout temporal_layout(int64_t clips, int64_t steps, int64_t positions, int64_t channels, int64_t groups) {
  return {clips * positions, steps, groups, channels / groups, channels, positions, 0, 0, 0, false, false};
}

int64_t chunks_per_block(const MorphLayout& at) {
  for (int64_t chunks = blocks_of(84, at.groups); chunks * at.groups <= 168; ++chunks)
    if (chunks * at.groups % kTileRows == 0) return chunks;
  return std::max<int64_t>(1, 112 / at.groups);
}

template <class E>
void gather_chunks(const MorphLayout& at, int64_t first, int64_t last, const E* x, E* a) {
  TokenIndices tokens(at);
  with_length(at.group_channels, [&](auto length) {
    for (int64_t chunk = first; chunk < last; ++chunk, a += at.groups * at.row_length()) {
      const int64_t* token = tokens.of(chunk);
      for (int64_t l = 0; l < at.chunk_tokens; ++l) {
        E* to = a + l * length.length();
        token[l] >= 0 ? gather_token(at, length, x + token[l] * at.channels, to) : clear_token(at, length, to);
      }
    }
  });
}

template <class E>
void scatter_chunks(const MorphLayout& at, int64_t first, int64_t last, const E* a, int64_t stride, E* y) {
  TokenIndices tokens(at);
  with_length(at.group_channels, [&](auto length) {
    for (int64_t chunk = first; chunk < last; ++chunk, a += at.groups * stride) {
      const int64_t* token = tokens.of(chunk);
      for (int64_t l = 0; l < at.chunk_tokens; ++l)
        if (token[l] >= 0) scatter_token(at, length, a + l * length.length(), stride, y + token[l] * at.channels);
    }
  });
}

void scatter_weighted(const MorphLayout& at, int64_t first, int64_t last, const float* a, const float* weight,
                      const float* bias, bool add, float* y) {
  const std::vector<float> none(static_cast<size_t>(bias ? 0 : at.row_length()));
  const float* b = bias ? bias : none.data();
  if (at.chunk_tokens > 1)
    return (add ? scatter_weighted_groups<true> : scatter_weighted_groups<false>)(at, first, last, a, weight, b, y);
  const int64_t c = at.channels;
  (add ? scatter_weighted_rows<true> : scatter_weighted_rows<false>)(last - first, c, a, weight, b, y + first * c);
}

#define INSTANTIATE(E)                                                             \
  template void gather_chunks(const MorphLayout&, int64_t, int64_t, const E*, E*); \
  template void scatter_chunks(const MorphLayout&, int64_t, int64_t, const E*, int64_t, E*);
INSTANTIATE(float)
INSTANTIATE(Bf16)
INSTANTIATE(Rounded)

}  // namespace morphmlp::MORPHMLP_ISA
