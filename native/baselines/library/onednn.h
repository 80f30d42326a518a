// Products by oneDNN's matmul primitive, in f32 and bf16, on its own threads. Its tuning parameter `pack` chooses how
// it reads the second operand: 0, as it is; 1, reordered by each call into the format that it prefers.
#pragma once
#include <omp.h>
#include <stdio.h>

#include <dnnl.hpp>
#include <unordered_map>

#include "product.h"

#define MORPHMLP_LIBRARY_TAKES MORPHMLP_TAKES_F32 | MORPHMLP_TAKES_BF16
#define MORPHMLP_LIBRARY_PARAMETER "pack"

static const char* library_version() {
  static char text[64];
  const dnnl_version_t* v = dnnl_version();
  snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
  return text;
}

using Type = dnnl::memory::data_type;
using Desc = dnnl::memory::desc;

static dnnl::engine& cpu() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

static Type type_of(int32_t dtype) { return dtype == MORPHMLP_BF16 ? Type::bf16 : Type::f32; }

static Desc plain(int64_t rows, int64_t columns, bool transposed, Type type) {
  return {{rows, columns}, type, transposed ? dnnl::memory::dims{1, rows} : dnnl::memory::dims{columns, 1}};
}

static dnnl::matmul::primitive_desc matmul_of(const Desc& a, const Desc& b, const Desc& c, const Desc* bias) {
#if DNNL_VERSION_MAJOR >= 3
  return bias ? dnnl::matmul::primitive_desc(cpu(), a, b, *bias, c) : dnnl::matmul::primitive_desc(cpu(), a, b, c);
#else
  return {bias ? dnnl::matmul::desc(a, b, *bias, c) : dnnl::matmul::desc(a, b, c), cpu()};
#endif
}

static void multiply(bool pack, int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, Matrix c, const float* bias) {
  dnnl::stream stream(cpu());
  const Type type = type_of(a.dtype);  // b is rounded to the type of a
  const Desc a_desc = plain(m, k, a.transposed, type), b_desc = plain(k, n, b.transposed, type_of(b.dtype)),
             c_desc = plain(m, n, false, type_of(c.dtype)), bias_desc = plain(1, n, false, Type::f32);
  const Desc read = pack ? Desc({k, n}, type, dnnl::memory::format_tag::any) : plain(k, n, b.transposed, type);
  const auto matmul = matmul_of(a_desc, read, c_desc, bias ? &bias_desc : nullptr);
  dnnl::memory given(b_desc, cpu(), b.data), wanted = given;
  if (matmul.weights_desc() != b_desc) {
    wanted = dnnl::memory(matmul.weights_desc(), cpu());
    dnnl::reorder(given, wanted).execute(stream, given, wanted);
  }
  std::unordered_map<int, dnnl::memory> args = {
      {DNNL_ARG_SRC, {a_desc, cpu(), a.data}}, {DNNL_ARG_WEIGHTS, wanted}, {DNNL_ARG_DST, {c_desc, cpu(), c.data}}};
  if (bias) args.insert({DNNL_ARG_BIAS, {bias_desc, cpu(), const_cast<float*>(bias)}});
  dnnl::matmul(matmul).execute(stream, args);
  stream.wait();
}

// c[m, n] = op(a) op(b) + bias
static int32_t product(const morphmlp_call* call, int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, Matrix c,
                       const float* bias) {
  omp_set_num_threads(call->threads);
  try {
    multiply(morphmlp_attribute_of(call, "pack") != 0, m, n, k, a, b, c, bias);
    return MORPHMLP_OK;
  } catch (const dnnl::error& error) {
    return morphmlp_say(call, MORPHMLP_FAILED, error.what());
  }
}
