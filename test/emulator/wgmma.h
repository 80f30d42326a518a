// wgmma for the emulation, decoded from the descriptors by the PTX ISA's tables ("Matrix Descriptor Format", "Canonical
// Layouts", "Matrix Fragments for wgmma.mma_async.m64nNk16"). The sum over k goes in order and in f32; tensor cores add
// in an order of their own.
#pragma once
#include "test/emulator/mbarrier.h"

namespace morphmlp::cuda {

namespace emulated {

// An operand in shared memory, in the 128-byte swizzle: Swizzle<3, 4, 3> of a canonical layout.
struct Matrix {
  Matrix(uint64_t descriptor, bool turned)
      : start(field(descriptor, 0)),
        leading(field(descriptor, 16)),
        stride(field(descriptor, 32)),
        base(static_cast<uint32_t>(descriptor >> 49 & 7)),
        by_columns(turned) {
    if (descriptor >> 62 != 1) refuse("wgmma: only the 128-byte swizzle is emulated");
  }

  // K-major ((8,m),(T,2k)):((8T,SBO),(1,T)), MN-major ((T,8,m),(8,k)):((1,T,LBO),(8T,SBO)), T = 8 numbers.
  float at(int i, int k) const {
    const int offset = by_columns ? i % 64 * 2 + i / 64 * leading + k % 8 * 128 + k / 8 * stride
                                  : i % 8 * 128 + i / 8 * stride + k * 2;
    uint32_t address = static_cast<uint32_t>(start + offset);
    address ^= (((address >> 7) - base) & 7) << 4;
    Bf16 value;
    std::memcpy(&value, shim::published_memory() + address - 1024, sizeof(value));
    return load(&value);
  }

  int start, leading, stride;
  uint32_t base;
  bool by_columns;

 private:
  static int field(uint64_t descriptor, int bit) { return static_cast<int>(descriptor >> bit & 0x3FFF) << 4; }
};

// d[4 j + 2 h + i] of lane l of warp w is at row 16 w + l / 4 + 8 h, column 8 j + 2 (l % 4) + i.
inline void add_products(float* d, int n, const Matrix& a, const Matrix& b, int thread) {
  const int lane = thread % 32, first = thread / 32 * 16 + lane / 4;
  for (int i = 0; i < n / 2; ++i) {
    const int row = first + i / 2 % 2 * 8, column = i / 4 * 8 + lane % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) d[i] = fmaf(a.at(row, k), b.at(column, k), d[i]);
  }
}

}  // namespace emulated

inline void wgmma_fence() { shim::products().fence(); }
inline void wgmma_commit() { shim::products().end_group(); }
template <int kLater>
void wgmma_wait() {
  shim::products().wait(kLater);
}
template <int kCount>
void pin_after_wait(float (&)[kCount]) {}
template <int kRegisters>
void dealloc_registers() {}
template <int kRegisters>
void alloc_registers() {}

template <int kN, bool kTransposeA, bool kTransposeB>
void wgmma(float (&d)[kN / 2], uint64_t a, uint64_t b) {
  if (!shim::products().fenced()) emulated::refuse("wgmma without a fence after the last wait");
  const emulated::Matrix left(a, kTransposeA), right(b, kTransposeB);
  const int thread = static_cast<int>(threadIdx.x) % 128;
  shim::products().add(d, kN / 2, [=](float* sums) { emulated::add_products(sums, kN, left, right, thread); });
}

}  // namespace morphmlp::cuda
