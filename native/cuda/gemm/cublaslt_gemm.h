// A product by a library in place of our kernels, where that was asked for (products.h) and both operands lie dense in
// memory, which is known when compiled. What becomes of results is up to `out` as ever: the library writes where they
// stay as they are, else into f32 of its own, which one more pass puts.
#pragma once
#include <optional>
#include <type_traits>

#include "cuda/gemm/cublas_lt.h"
#include "cuda/gemm/layouts.h"
#include "cuda/gemm/operands.h"
#include "cuda/gemm/gemm_backend.h"
#include "cuda/epilogue/loads.h"
#include "cuda/workspace.h"

namespace morphmlp::cuda {

template <class Operand>
constexpr bool kLiesDense = false;
template <class T>
constexpr bool kLiesDense<ByRow<Gather<PlainLayout, Dense<T>>>> = true;
template <class T>
constexpr bool kLiesDense<ByColumn<Gather<PlainLayout, Dense<T>>>> = true;

template <class A, class B>
bool library_takes([[maybe_unused]] int64_t k) {
  if constexpr (kLiesDense<A> && kLiesDense<B>) return k > 0 && products() == Products::cublas_lt;
  return false;
}

template <class T>
constexpr LtType kLtType = std::is_same_v<T, Bf16> ? LtType::bf16 : LtType::f32;

// Rows of `columns` numbers, `leading` apart where they go to.
struct RoundRows {
  const float* from;
  Bf16* to;
  Divisor columns;
  int64_t leading;

  __device__ void operator()(int64_t i) const {
    const int row = columns.quotient(static_cast<int>(i));
    store(to + row * leading + columns.remainder(static_cast<int>(i), row), from[i]);
  }
};

// An operand of type T, for as long as this lives: weights are f32, and rounded for a product of bf16, in rows of whole
// 16 bytes.
template <class T, class Operand>
class LibraryOperand {
 public:
  LibraryOperand(const Operand& operand, int64_t k)
      : tokens_(operand.matrix.tokens), data_(tokens_.x), leading_(tokens_.channels) {
    if constexpr (!kSame) {
      const int64_t rows = kIsByColumn<Operand> ? k : operand.size, n = rows * tokens_.channels;
      leading_ = blocks_of(tokens_.channels, 8) * 8;
      data_ = copy_.emplace(rows * leading_).data();
      launch_each(as_int(n), RoundRows{tokens_.x, copy_->data(), Divisor(tokens_.channels), leading_});
    }
  }

  const T* data() const { return static_cast<const T*>(data_); }
  // From one row to the next.
  int64_t leading() const { return leading_; }

  // Element (i, k) of an operand by rows is that of the matrix; the second operand's are its transpose's.
  LtMatrix matrix(bool second) const { return {data_, second != kIsByColumn<Operand>, leading_}; }

 private:
  using Tokens = std::decay_t<decltype(std::declval<Operand>().matrix.tokens)>;
  static constexpr bool kSame = std::is_same_v<Tokens, Dense<T>>;

  Tokens tokens_;
  const void* data_;
  int64_t leading_;
  std::optional<Workspace<Bf16>> copy_;
};

// Where results stay as they are, dense: there the library may write them.
struct Plain {
  void* to;
  LtType type;
};

template <class Out>
Plain plain_of(const Out&) {
  return {nullptr, LtType::f32};
}

template <class T>
Plain plain_of(const Scatter<PlainLayout, PutBiased<T>>& out) {
  return {out.to.bias || out.to.add ? nullptr : out.to.y, kLtType<T>};
}

template <class T>
Plain plain_of(const Scatter<PlainLayout, PutActivated<T>>& out) {
  return {out.to.bias || out.to.z || out.to.activate ? nullptr : out.to.y, kLtType<T>};
}

// out.put of sums [m, n], by blocks of kRows rows; by two numbers at once where out takes them.
template <class Out>
struct PutSums : Unshared {
  static constexpr int kRows = 16;
  Out out;
  const float* sums;
  int m, step;
  Divisor by_steps;  // of a row

  __device__ void operator()(None&) const {
    const int first = static_cast<int>(blockIdx.x) * kRows, rows = m - first < kRows ? m - first : kRows;
    const int across = static_cast<int>(by_steps.d);
    for (int i = static_cast<int>(threadIdx.x); i < rows * across; i += kThreads) {
      const int row = by_steps.quotient(i);
      put(first + row, by_steps.remainder(i, row) * step, across * step);
    }
  }

 private:
  __device__ void put(int row, int column, int n) const {
    const float* sum = sums + static_cast<int64_t>(row) * n + column;
    const float pair[] = {sum[0], sum[step - 1]}, one[] = {sum[0]};
    if (step == 2) return out.put(out.row(row), column, pair);
    out.put(out.row(row), column, one);
  }
};

template <class Out>
void put_sums(const float* sums, int64_t m, int64_t n, const Out& out) {
  const int step = out.pairs && n % 2 == 0 ? 2 : 1;
  if (PutSums<Out>::kRows * n > INT32_MAX) fail("a product has too many columns");
  launch({blocks_of(m, PutSums<Out>::kRows)}, PutSums<Out>{{}, out, sums, as_int(m), step, Divisor(n / step)});
}

// out = a b by cuBLASLt.
template <class T, class A, class B, class Out>
void multiply_by_library(const A& a, const B& b, int64_t k, const Out& out) {
  const LibraryOperand<T, A> left(a, k);
  const LibraryOperand<T, B> right(b, k);
  const auto product = [&](const Plain& to) {
    cublas_lt_product({left.matrix(false), right.matrix(true), to.to, a.size, b.size, k, kLtType<T>, to.type});
  };
  const Plain plain = plain_of(out);
  if (plain.to) return product(plain);
  const Workspace<float> sums(int64_t{a.size} * b.size);
  product({sums.data(), LtType::f32});
  put_sums(sums.data(), a.size, b.size, out);
}

}  // namespace morphmlp::cuda
