// Arithmetic of kernels: storage types, division by constants, elementary functions, sums over a warp or block.
#pragma once
#include "cuda/launch.h"
#include "ops/bf16.h"

// Instantiates a kernel for both types of activations, as table.cc requires.
#define FOR_FLOATS(kernel, P)                \
  template void kernel(const P##Of<float>&); \
  template void kernel(const P##Of<Bf16>&);

namespace morphmlp::cuda {

__device__ inline float load(const float* from) { return *from; }

__device__ inline float load_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

__device__ inline uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

__device__ inline float load(const Bf16* from) { return load_bits(static_cast<uint32_t>(from->bits) << 16); }

__device__ inline void store(float* to, float value) { *to = value; }

// Packs two values as bf16, the first in the lower half: rounded to nearest even; NaN stays NaN.
#ifdef __CUDA_ARCH__
__device__ inline uint32_t packed(float low, float high) {
  uint32_t both;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
  return both;
}
#else
inline uint32_t rounded(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return value == value ? (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 : bits >> 16 | 0x40;
}
__device__ inline uint32_t packed(float low, float high) { return rounded(low) | rounded(high) << 16; }
#endif

__device__ inline void store(Bf16* to, float value) { to->bits = static_cast<uint16_t>(packed(value, 0.0f)); }

// Adjacent values in registers.
template <int N>
struct Vec {
  float at[N];
};

// Packs into 16 bytes: eight values as bf16, four as f32.
__device__ inline uint4 packed(const Vec<8>& o) {
  return make_uint4(packed(o.at[0], o.at[1]), packed(o.at[2], o.at[3]), packed(o.at[4], o.at[5]),
                    packed(o.at[6], o.at[7]));
}
__device__ inline uint4 packed(const Vec<4>& q) {
  return make_uint4(bits_of(q.at[0]), bits_of(q.at[1]), bits_of(q.at[2]), bits_of(q.at[3]));
}

// Reads sizeof(Words) bytes at once from an address of that alignment.
template <class Words, class T>
__device__ Words load_words(const T* from) {
#ifdef __CUDA_ARCH__
  return *reinterpret_cast<const Words*>(from);
#else
#ifdef MORPHMLP_CUDA_EMULATED
  shim::check_aligned(from, alignof(Words));
#endif
  Words words;
  memcpy(&words, from, sizeof(words));
  return words;
#endif
}

// Unpacks the two values of a word.
__device__ inline float low_of(uint32_t word) { return load_bits(word << 16); }
__device__ inline float high_of(uint32_t word) { return load_bits(word & 0xffff0000u); }

// Reads one value, or N: from 16-byte alignment, eight, or four of f32.
template <int N>
__device__ Vec<N> load(const float* from) {
  Vec<N> to;
  if constexpr (N == 1) to.at[0] = *from;
#pragma unroll
  for (int i = 0; i + 4 <= N; i += 4) {
    const auto w = load_words<float4>(from + i);
    to.at[i] = w.x, to.at[i + 1] = w.y, to.at[i + 2] = w.z, to.at[i + 3] = w.w;
  }
  return to;
}

template <int N>
__device__ Vec<N> load(const Bf16* from) {
  static_assert(N == 1 || N == 8, "four of bf16 are not 16 bytes");
  if constexpr (N == 1) {
    return {{load(from)}};
  } else {
    const auto w = load_words<uint4>(from);
    return {
        {low_of(w.x), high_of(w.x), low_of(w.y), high_of(w.y), low_of(w.z), high_of(w.z), low_of(w.w), high_of(w.w)}};
  }
}

// Stores one value, or two adjacent ones; two of bf16 at once, to 4-byte alignment.
template <class T>
__device__ void store(T* to, const float (&value)[1]) {
  store(to, value[0]);
}
__device__ inline void store(float* to, const float (&value)[2]) {
  to[0] = value[0];
  to[1] = value[1];
}
__device__ inline void store(Bf16* to, const float (&value)[2]) {
  const uint32_t both = packed(value[0], value[1]);
#ifdef __CUDA_ARCH__
  *reinterpret_cast<uint32_t*>(to) = both;
#else
#ifdef MORPHMLP_CUDA_EMULATED
  shim::check_aligned(to, sizeof(both));
#endif
  memcpy(to, &both, sizeof(both));
#endif
}

// Stores sizeof(Words) bytes at once to an address of that alignment.
template <class Words, class T>
__device__ void store_words(T* to, const Words& words) {
#ifdef __CUDA_ARCH__
  *reinterpret_cast<Words*>(to) = words;
#else
#ifdef MORPHMLP_CUDA_EMULATED
  shim::check_aligned(to, alignof(Words));
#endif
  memcpy(to, &words, sizeof(words));
#ifdef MORPHMLP_CUDA_EMULATED
  shim::wrote(to, sizeof(words));
#endif
#endif
}

// Stores one value, eight of bf16 or a multiple of four of f32, to 16-byte alignment.
template <int N>
__device__ void store(float* to, const Vec<N>& value) {
  if constexpr (N == 1) *to = value.at[0];
#pragma unroll
  for (int i = 0; i + 4 <= N; i += 4)
    store_words(to + i, make_float4(value.at[i], value.at[i + 1], value.at[i + 2], value.at[i + 3]));
}
template <int N>
__device__ void store(Bf16* to, const Vec<N>& value) {
  static_assert(N == 1 || N == 8, "four of bf16 are not 16 bytes");
  if constexpr (N == 1)
    store(to, value.at[0]);
  else
    store_words(to, packed(value));
}

// Whether rows of `channels` values can be stored in pairs.
template <class T>
bool can_pair_rows(const T* x, int channels) {
  return channels % 2 == 0 && reinterpret_cast<uintptr_t>(x) % 4 == 0;
}

// Whether rows of `channels` values can be loaded n at a time.
template <class T>
bool can_vectorize_rows(const T* x, int channels, int n) {
  return channels % n == 0 && reinterpret_cast<uintptr_t>(x) % 16 == 0;
}

// n / d and n % d for n < 2^31 by a multiplication: a division would cost more than the product it serves.
struct Divisor {
  uint32_t d = 1, factor = 1, shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t divisor) : d(static_cast<uint32_t>(divisor)) {
    if (divisor < 1 || divisor > INT32_MAX) fail("a tensor has more than 2^31 - 1 rows or columns");
    while ((uint64_t{1} << shift) < d) ++shift;
    factor = static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - d)) / d + 1);
  }

  __device__ int quotient(int n) const {
    const auto high = static_cast<uint32_t>(static_cast<uint64_t>(static_cast<uint32_t>(n)) * factor >> 32);
    return static_cast<int>((high + static_cast<uint32_t>(n)) >> shift);
  }
  __device__ int remainder(int n, int quotient) const { return n - quotient * static_cast<int>(d); }
};

// Rows and columns are counted in 32 bits, elements in 64.
inline int as_int(int64_t n) {
  if (n < 0 || n > INT32_MAX) fail("a tensor has more than 2^31 - 1 rows or columns");
  return static_cast<int>(n);
}

// Phi(x) of the normal distribution, through erfc so that small values keep their digits.
__device__ inline float normal_cdf(float x) { return 0.5f * erfcf(x * -0.707106781f); }

__device__ inline float gelu(float x) { return x * normal_cdf(x); }

__device__ inline float gelu_slope(float x) { return fmaf(x, 0.398942280f * expf(-0.5f * x * x), normal_cdf(x)); }

// 1 / x and 2^x, to about one part in 2^22.
#ifdef __CUDA_ARCH__
__device__ inline float fast_reciprocal(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
__device__ inline float fast_exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
#else
inline float fast_reciprocal(float x) { return 1.0f / x; }
inline float fast_exp2(float x) { return exp2f(x); }
#endif

// exp(-x^2 / 2), and Phi(-|x|) of the normal distribution as exp(-x^2 / 2) P(t) with t = 1 / (1 + 0.3 |x|). P is fitted
// up to |x| = 13 with a relative error of 1.9e-6, so that small values are accurate too (to 2e-5, the rounding of the
// exponent).
struct NormalTail {
  float bell, tail;
};

__device__ inline NormalTail normal_tail(float x) {
  const float t = fast_reciprocal(fmaf(0.3f, fabsf(x), 1.0f)), root = 0.849321800f * x;
  float p = fmaf(t, -0.0845879409f, 0.240553183f);
  p = fmaf(t, p, -0.0486151415f);
  p = fmaf(t, p, 0.164742020f);
  p = fmaf(t, p, 0.106713827f);
  p = fmaf(t, p, 0.121272739f);
  p = fmaf(t, p, -7.96249217e-5f);
  const float bell = fast_exp2(-root * root);
  return {bell, p * bell};
}

// GELU and its derivative for results in bf16: 15 and 19 instructions, where erfcf takes far more. Infinity gives NaN.
__device__ inline float gelu_for_bf16(float x) { return fmaf(-fabsf(x), normal_tail(x).tail, fmaxf(x, 0.0f)); }

__device__ inline float gelu_slope_for_bf16(float x) {
  const NormalTail at = normal_tail(x);
  return fmaf(x, 0.398942280f * at.bell, x < 0.0f ? at.tail : 1.0f - at.tail);
}

// GELU and its derivative for results of type T.
template <class T>
__device__ float gelu_of(float x) {
  if constexpr (std::is_same_v<T, Bf16>) return gelu_for_bf16(x);
  return gelu(x);
}

template <class T>
__device__ float gelu_slope_of(float x) {
  if constexpr (std::is_same_v<T, Bf16>) return gelu_slope_for_bf16(x);
  return gelu_slope(x);
}

constexpr unsigned kAllLanes = 0xffffffffu;
constexpr int kWarpSize = 32;

// Sum over each kLanes lanes of a warp, in every lane; the order is fixed.
template <int kLanes, class T>
__device__ T lanes_sum(T value) {
#pragma unroll
  for (int mask = kLanes / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(kAllLanes, value, mask);
  return value;
}
template <class T>
__device__ T warp_sum(T value) {
  return lanes_sum<kWarpSize>(value);
}

// Maximum over a warp, in every lane; NaN wins.
__device__ inline float warp_max(float value) {
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, value, mask);
    value = value >= other || value != value ? value : other;
  }
  return value;
}

// Sum over a block of kThreads, in every thread. `shared` holds one value a warp.
template <int kThreads, class T>
__device__ T block_sum(T value, T* shared) {
  value = warp_sum(value);
  const int warp = static_cast<int>(threadIdx.x) / kWarpSize;
  __syncthreads();  // an earlier sum has been read by all
  if (threadIdx.x % kWarpSize == 0) shared[warp] = value;
  __syncthreads();
  T sum = shared[0];
  for (int i = 1; i < kThreads / kWarpSize; ++i) sum += shared[i];
  return sum;
}

}  // namespace morphmlp::cuda
