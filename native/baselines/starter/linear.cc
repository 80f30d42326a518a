// y = x weight^T + bias: a blocked matrix product, and the bias in a second pass over y. Adding it as the product
// stores its tiles would save that pass.
#include "morphmlp_gemm.h"
#include "morphmlp_layers.h"

struct Sizes {
  int64_t rows, n, k;
};

static Sizes sizes_of(const morphmlp_call* call) {
  const int64_t* weight = morphmlp_input(call, "weight")->shape;
  return {morphmlp_input(call, "x")->shape[0], weight[0], weight[1]};
}

static bool is_f32(const morphmlp_tensor* t) { return t->dtype == MORPHMLP_F32; }

// f32 copies of bf16 tensors in the workspace; f32 tensors need none.
struct Memory {
  float *x, *y;
  size_t bytes;
};

static Memory memory_of(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const bool copies = !is_f32(morphmlp_input(call, "x"));
  morphmlp_arena arena = {static_cast<float*>(call->workspace), 0};
  Memory m;
  m.x = arena.take(copies ? at.rows * at.k : 0);
  m.y = arena.take(copies ? at.rows * at.n : 0);
  m.bytes = arena.taken * sizeof(float);
  return m;
}

static size_t workspace(const morphmlp_call* call, int32_t) { return memory_of(call).bytes; }

// The tensor itself if it is f32, else its copy, which `count` elements are written to.
static const float* widened(const morphmlp_call* call, const morphmlp_tensor* t, int64_t count, float* copy) {
  if (is_f32(t)) return static_cast<const float*>(t->data);
  morphmlp_each(call, count, morphmlp_widen{morphmlp_values_of(t), copy});
  return copy;
}

static int32_t forward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(call);
  const morphmlp_tensor* y = morphmlp_output(call, "y");
  const float *bias = morphmlp_in(call, "bias"), *x = widened(call, morphmlp_input(call, "x"), at.rows * at.k, m.x);
  float* product = is_f32(y) ? static_cast<float*>(y->data) : m.y;
  const int32_t status = morphmlp_gemm(call, false, true, at.rows, at.n, at.k, x, morphmlp_in(call, "weight"), product);
  if (status != MORPHMLP_OK) return status;
  if (!is_f32(y))
    return morphmlp_each(call, at.rows * at.n, morphmlp_narrow{product, bias, at.n, morphmlp_values_of(y)});
  return bias ? morphmlp_rows(call, at.rows, morphmlp_add_bias{at.n, bias, product}) : MORPHMLP_OK;
}

static int32_t backward_x(const morphmlp_call* call, const Sizes& at, const float* dy, float* copy) {
  const morphmlp_tensor* dx = morphmlp_output(call, "dx");
  if (!dx->data) return MORPHMLP_OK;
  float* product = is_f32(dx) ? static_cast<float*>(dx->data) : copy;
  const int32_t status =
      morphmlp_gemm(call, false, false, at.rows, at.k, at.n, dy, morphmlp_in(call, "weight"), product);
  if (status != MORPHMLP_OK || is_f32(dx)) return status;
  return morphmlp_each(call, at.rows * at.k, morphmlp_narrow{product, nullptr, at.k, morphmlp_values_of(dx)});
}

static int32_t backward(const morphmlp_call* call) {
  const Sizes at = sizes_of(call);
  const Memory m = memory_of(call);
  const float* x = widened(call, morphmlp_input(call, "x"), at.rows * at.k, m.x);
  const float* dy = widened(call, morphmlp_input(call, "dy"), at.rows * at.n, m.y);
  float *dweight = morphmlp_out(call, "dweight"), *dbias = morphmlp_out(call, "dbias");
  return morphmlp_first({dweight ? morphmlp_gemm(call, true, false, at.n, at.k, at.rows, dy, x, dweight) : MORPHMLP_OK,
                         dbias ? morphmlp_sum_rows(call, at.rows, at.n, dy, dbias) : MORPHMLP_OK,
                         backward_x(call, at, dy, m.x)});
}

MORPHMLP_TUNED_KERNEL("linear", "starter", workspace, forward, backward)
