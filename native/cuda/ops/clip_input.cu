#include "ops/clip_input.h"
#include "ops/clip_mix.h"

#include "cuda/vectorized.h"

namespace morphmlp::cuda {
namespace {

// N adjacent pixels as RGB bytes.
template <int N>
struct Pixels {
  static constexpr int kWords = (3 * N + 3) / 4;
  uint32_t words[kWords];

  __device__ explicit Pixels(const uint8_t* from) {
    if constexpr (N == 1) words[0] = from[0] | from[1] << 8 | from[2] << 16;
#pragma unroll
    for (int i = 0; i < kWords && N > 1; ++i) words[i] = load_words<uint32_t>(from + 4 * i);
  }
  __device__ int byte(int pixel, int channel) const {
    const int i = 3 * pixel + channel;
    return static_cast<int>(words[i / 4] >> 8 * (i % 4) & 255);
  }
};

template <class T>
struct Forward {
  ClipInputForwardOf<T> p;

  // `line` counts the lines of all frames of a clip.
  template <int N>
  __device__ void run(int clip, int64_t begin, int64_t end, int x) const {
    const float* at = p.settings + kClipTables;
    const ClipMix mix = {at[0], at[1], at[2], at[3], at[4], at[5]};
    const int64_t lines = p.frames * p.height, reverse = p.clips - 1 - clip;
    for (int64_t line = begin; line < end; ++line) {
      const bool mixed = clip != reverse && inside(static_cast<int>(line % p.height), mix.y, mix.height);
      const Pixels<N> own(pixels(clip * lines + line, x)), other(pixels((mixed ? reverse : clip) * lines + line, x));
#pragma unroll
      for (int c = 0; c < 3; ++c) {
        Vec<N> value;
#pragma unroll
        for (int j = 0; j < N; ++j) {
          value.at[j] = number(c, own.byte(j, c));
          if (mixed && inside(x + j, mix.x, mix.width))
            value.at[j] = blend(mix, value.at[j], number(c, other.byte(j, c)));
        }
        store(p.x + ((clip * 3 + c) * lines + line) * p.width + x, value);
      }
    }
  }

 private:
  __device__ const uint8_t* pixels(int64_t line, int x) const { return p.pixels + (line * p.width + x) * 3; }
  __device__ float number(int channel, int byte) const { return p.settings[channel * kByteValues + byte]; }
  __device__ static bool inside(int at, float from, float length) {
    return static_cast<float>(at) >= from && static_cast<float>(at) < from + length;
  }
  // In double, for the bits of the CPU.
  __device__ static float blend(const ClipMix& mix, float own, float other) {
    return static_cast<float>(static_cast<double>(own) * mix.keep + static_cast<double>(other) * mix.take);
  }
};

}  // namespace

template <class T>
void clip_input_forward(const ClipInputForwardOf<T>& p) {
  const bool runs = reinterpret_cast<uintptr_t>(p.pixels) % 4 == 0 && aligned(p.x);
  launch_vectorized_columns<kVecSize<T>>(p.clips, p.frames * p.height, p.width, runs, Forward<T>{p});
}
FOR_FLOATS(clip_input_forward, ClipInputForward)

}  // namespace morphmlp::cuda
