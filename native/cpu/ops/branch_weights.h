// Branch weights transposed for contiguous reads over channels.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace morphmlp::MORPHMLP_ISA {

// weights[clip, c, i] transposed to [clip][i][c].
inline std::vector<float> by_branch(const float* weights, int64_t clips, int64_t channels, int64_t branches) {
  std::vector<float> rows(static_cast<size_t>(clips * branches * channels));
  for (int64_t b = 0; b < clips; ++b)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t i = 0; i < branches; ++i)
        rows[(b * branches + i) * channels + c] = weights[(b * channels + c) * branches + i];
  return rows;
}

}  // namespace morphmlp::MORPHMLP_ISA
