// Products by a library with the C interface of BLAS (OpenBLAS, BLIS, MKL, ...), in f32. Its tuning parameter `split`
// chooses whose threads compute: 0, the library's; 1, the program's, which share the rows.
#pragma once
#include <stdio.h>

#include <algorithm>

#include "product.h"

#define MORPHMLP_LIBRARY_TAKES MORPHMLP_TAKES_F32
#define MORPHMLP_LIBRARY_PARAMETER "split"

extern "C" {
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
                 int ldb, float beta, float* c, int ldc);
// Each library has its own; those of the others stay null.
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) char* openblas_get_config();
__attribute__((weak)) void bli_thread_set_num_threads(int64_t);
__attribute__((weak)) void bli_init();
__attribute__((weak)) char* bli_info_get_version_str();
__attribute__((weak)) int bli_arch_query_id();
__attribute__((weak)) char* bli_arch_string(int);
__attribute__((weak)) void MKL_Set_Num_Threads(int);
__attribute__((weak)) void MKL_Get_Version_String(char*, int);
}

static void set_threads(int threads) {
  if (openblas_set_num_threads) openblas_set_num_threads(threads);
  if (bli_thread_set_num_threads) bli_thread_set_num_threads(threads);
  if (MKL_Set_Num_Threads) MKL_Set_Num_Threads(threads);
}

static const char* library_version() {
  static char text[256];
  if (openblas_get_config) return openblas_get_config();
  if (bli_info_get_version_str) {
    if (bli_init) bli_init();  // with BLIS_ARCH_TYPE the query below ends the process before it
    const char* kernels = bli_arch_query_id && bli_arch_string ? bli_arch_string(bli_arch_query_id()) : "";
    snprintf(text, sizeof text, "BLIS %s %s", bli_info_get_version_str(), kernels);
    return text;
  }
  if (!MKL_Get_Version_String) return "version unknown";
  MKL_Get_Version_String(text, sizeof text);
  return text;
}

struct Product {
  int64_t m, n, k, block;
  Matrix a, b, c;

  void rows(int64_t first, int64_t count) const {
    constexpr int kRowMajor = 101, kNoTranspose = 111, kTranspose = 112;
    const auto i = [](int64_t size) { return static_cast<int>(size); };
    const float* from = static_cast<const float*>(a.data) + (a.transposed ? first : first * k);
    cblas_sgemm(kRowMajor, a.transposed ? kTranspose : kNoTranspose, b.transposed ? kTranspose : kNoTranspose, i(count),
                i(n), i(k), 1, from, i(a.transposed ? m : k), static_cast<const float*>(b.data),
                i(b.transposed ? k : n), 0, static_cast<float*>(c.data) + first * n, i(n));
  }
};

// c[m, n] = op(a) op(b) + bias
static int32_t product(const morphmlp_call* call, int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, Matrix c,
                       const float* bias) {
  const bool split = morphmlp_attribute_of(call, "split") != 0;
  set_threads(split ? 1 : call->threads);
  Product whole{m, n, k, (m + call->threads - 1) / call->threads, a, b, c};
  const auto part = [](void* context, int64_t index) {
    const Product& p = *static_cast<const Product*>(context);
    const int64_t first = index * p.block, count = std::min(p.block, p.m - first);
    if (count > 0) p.rows(first, count);
  };
  if (split)
    call->parallel(call->threads, part, &whole);
  else
    whole.rows(0, m);
  return add_bias(call, m, n, bias, static_cast<float*>(c.data));
}
