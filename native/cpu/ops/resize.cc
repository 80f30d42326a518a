#include "ops/resize.h"

#include <vector>

#include "cpu/ops/resize_taps.h"
#include "cpu/rows.h"

namespace morphmlp::MORPHMLP_ISA {

template <class T>
void resize_forward(const ResizeForwardOf<T>& p) {
  if (p.batch == 0 || p.channels == 0) return;  // the taps of a size that no buffer bounds
  const ResizeAxis rows{p.height, p.out_height, p.nearest};
  const std::vector<ResizeTap> columns = taps_of({p.width, p.out_width, p.nearest});
  for_blocks(p.batch * p.out_height, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const ResizeTap tap = rows.tap(row % p.out_height);
      const T* x = p.x + row / p.out_height * p.height * p.width * p.channels;
      T* y = p.y + row * p.out_width * p.channels;
      for (int64_t i = 0; i < p.out_width; ++i, y += p.channels) {
        if (p.nearest) {
          copy_row(y, x + (tap.from * p.width + columns[i].from) * p.channels, p.channels);
        } else {
          const Corners<T> corners(x, p.width, p.channels, tap, columns[i]);
          for_lanes(p.channels, [&](int64_t c, auto get, auto put) { put(y + c, corners.at(c, get)); });
        }
      }
    }
  });
}
FOR_FLOATS(resize_forward, ResizeForward)

template <class T>
void resize_backward(const ResizeBackwardOf<T>& p) {
  if (p.batch == 0 || p.channels == 0) return;
  const ResizeAxis down{p.height, p.out_height, p.nearest}, across{p.width, p.out_width, p.nearest};
  const std::vector<ResizeTap> rows = taps_of(down), columns = taps_of(across);
  for_blocks(p.batch * p.height, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t i = row % p.height;
      const ResizeSpan ys = down.span(i);
      const T* dy = p.dy + row / p.height * p.out_height * p.out_width * p.channels;
      for (int64_t j = 0; j < p.width; ++j) {
        const ResizeSpan xs = across.span(j);
        T* dx = p.dx + (row * p.width + j) * p.channels;
        for_lanes(p.channels, [&](int64_t c, auto get, auto put) {
          V sum = zero();
          for (int64_t y = ys.begin; y < ys.end; ++y)
            for (int64_t x = xs.begin; x < xs.end; ++x)
              sum = fma(set1(rows[y].of(i) * columns[x].of(j)), get(dy + (y * p.out_width + x) * p.channels + c), sum);
          put(dx + c, sum);
        });
      }
    }
  });
}
FOR_FLOATS(resize_backward, ResizeBackward)

}  // namespace morphmlp::MORPHMLP_ISA
