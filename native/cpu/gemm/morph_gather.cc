#include "cpu/gemm/morph_gather.h"

#include <cstring>

#include "cpu/gemm/gemm.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {
namespace {

// A copy whose length the compiler knows becomes a few vector moves; the runs of the published models are all listed.
template <int64_t S>
struct FixedRun {
  explicit FixedRun(int64_t) {}
  static constexpr int64_t length() { return S; }
};

struct AnyRun {
  explicit AnyRun(int64_t n) : n(n) {}
  int64_t length() const { return n; }
  int64_t n;
};

template <class F>
void with_run(int64_t run, F&& body) {
  switch (run) {
    case 6:
      return body(FixedRun<6>(run));
    case 7:
      return body(FixedRun<7>(run));
    case 8:
      return body(FixedRun<8>(run));
    case 12:
      return body(FixedRun<12>(run));
    case 14:
      return body(FixedRun<14>(run));
    case 16:
      return body(FixedRun<16>(run));
    case 28:
      return body(FixedRun<28>(run));
    case 49:
      return body(FixedRun<49>(run));
    case 98:
      return body(FixedRun<98>(run));
    default:
      return body(AnyRun(run));
  }
}

// body(piece, offset) for pieces of 8, 4, 2 and 1 floats that make up a run.
template <class Run, class F>
MORPHMLP_INLINE void for_pieces_of_run(Run run, F&& body) {
  const int64_t n = run.length();
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) body(FixedRun<8>(8), i);
  if (n & 4) body(FixedRun<4>(4), i), i += 4;
  if (n & 2) body(FixedRun<2>(2), i), i += 2;
  if (n & 1) body(FixedRun<1>(1), i);
}

template <class Run>
void gather_token(const RowUnits& at, Run run, const float* token, float* a) {
  const int64_t stride = at.row_length(), s = run.length();
  for (int64_t g = 0; g < at.groups; ++g) std::memcpy(a + g * stride, token + g * s, sizeof(float) * s);
}

template <class Run>
void clear_token(const RowUnits& at, Run run, float* a) {
  for (int64_t g = 0; g < at.groups; ++g) std::memset(a + g * at.row_length(), 0, sizeof(float) * run.length());
}

template <class Run>
void scatter_token(const RowUnits& at, Run run, const float* a, float* token) {
  const int64_t stride = at.row_length(), s = run.length();
  for (int64_t g = 0; g < at.groups; ++g) std::memcpy(token + g * s, a + g * stride, sizeof(float) * s);
}

// to (+)= weight * (from + bias), S floats. Through an array, as `to` might overlap the others; moves are of S floats
// and no wider, since a load that reaches into what was just stored must wait for it.
template <bool kAdd, class Run>
MORPHMLP_INLINE void weigh_run(Run run, const float* from, const float* weight, const float* bias, float* to) {
  for_pieces_of_run(run, [&](auto piece, int64_t i) {
    constexpr int64_t n = decltype(piece)::length();
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
void weigh_units(const RowUnits& at, int64_t first, int64_t last, const float* a, const float* weight,
                 const float* bias, float* y) {
  UnitTokens tokens(at);
  with_run(at.run, [&](auto run) {
    const int64_t stride = at.row_length(), s = run.length();
    for (int64_t u = first; u < last; ++u, a += at.groups * stride) {
      const int64_t* token = tokens.of(u);
      for (int64_t l = 0; l < at.runs; ++l)
        for (int64_t g = 0; token[l] >= 0 && g < at.groups; ++g)
          weigh_run<kAdd>(run, a + g * stride + l * s, weight + g * s, bias + l * s,
                          y + token[l] * at.channels + g * s);
    }
  });
}

// The same where a unit is one token: whole rows.
template <bool kAdd>
void weigh_rows(int64_t rows, int64_t n, const float* a, const float* weight, const float* bias, float* y) {
  for (int64_t row = 0; row < rows; ++row, a += n, y += n)
    for_lanes(n, [&](int64_t i, auto get, auto put) {
      const V value = add(get(a + i), get(bias + i));
      put(y + i, kAdd ? fma(get(weight + i), value, get(y + i)) : mul(get(weight + i), value));
    });
}

}  // namespace

// Counted on from token to token: a division for each would cost more than copying it.
void RowUnits::tokens(int64_t u, int64_t* out) const {
  if (chunks == 0) {
    const int64_t start = u / frame_tokens * runs * frame_tokens + u % frame_tokens;
    for (int64_t l = 0; l < runs; ++l) out[l] = start + l * frame_tokens;
    return;
  }
  const int64_t j = u % chunks, frame = u / chunks * frame_tokens;
  const int64_t start = strided ? j : j * runs, step = strided ? chunks : 1;
  int64_t row = vertical ? start % height : 0, column = vertical ? start / height : start;
  for (int64_t l = 0, n = start; l < runs; ++l, n += step) {
    out[l] = n < frame_tokens ? frame + row * width + column : -1;
    if (!vertical) column += step;
    if (vertical) row += step;
    for (; vertical && row >= height; ++column) row -= height;
  }
}

RowUnits spatial_units(int64_t frames, int64_t height, int64_t width, int64_t channels, int64_t chunk, bool vertical,
                       bool strided) {
  const int64_t chunks = blocks_of(height * width, chunk);
  return {frames * chunks, chunk, chunk,  channels / chunk, channels, height * width,
          height,          width, chunks, vertical,         strided};
}

RowUnits temporal_units(int64_t clips, int64_t steps, int64_t positions, int64_t channels, int64_t groups) {
  return {clips * positions, steps, groups, channels / groups, channels, positions, 0, 0, 0, false, false};
}

int64_t units_per_block(const RowUnits& at) {
  for (int64_t units = blocks_of(84, at.groups); units * at.groups <= 168; ++units)
    if (units * at.groups % kTileRows == 0) return units;
  return std::max<int64_t>(1, 112 / at.groups);
}

void gather_units(const RowUnits& at, int64_t first, int64_t last, const float* x, float* a) {
  UnitTokens tokens(at);
  with_run(at.run, [&](auto run) {
    for (int64_t u = first; u < last; ++u, a += at.groups * at.row_length()) {
      const int64_t* token = tokens.of(u);
      for (int64_t l = 0; l < at.runs; ++l) {
        float* to = a + l * run.length();
        token[l] >= 0 ? gather_token(at, run, x + token[l] * at.channels, to) : clear_token(at, run, to);
      }
    }
  });
}

void scatter_units(const RowUnits& at, int64_t first, int64_t last, const float* a, float* y) {
  UnitTokens tokens(at);
  with_run(at.run, [&](auto run) {
    for (int64_t u = first; u < last; ++u, a += at.groups * at.row_length()) {
      const int64_t* token = tokens.of(u);
      for (int64_t l = 0; l < at.runs; ++l)
        if (token[l] >= 0) scatter_token(at, run, a + l * run.length(), y + token[l] * at.channels);
    }
  });
}

void add_weighted_units(const RowUnits& at, int64_t first, int64_t last, const float* a, const float* weight,
                        const float* bias, bool add, float* y) {
  const std::vector<float> none(static_cast<size_t>(bias ? 0 : at.row_length()));
  const float* b = bias ? bias : none.data();
  if (at.runs > 1) return (add ? weigh_units<true> : weigh_units<false>)(at, first, last, a, weight, b, y);
  const int64_t c = at.channels;
  (add ? weigh_rows<true> : weigh_rows<false>)(last - first, c, a, weight, b, y + first * c);
}

}  // namespace morphmlp::MORPHMLP_ISA
