/* y = x weight^T + bias in C: tiles of kRows x kColumns sums, which the compiler keeps in vector registers. The weight
 * is transposed once for each call. Packing the other operand and the bias in the store would make it faster. */
#include "morphmlp_kernel.h"

enum { kRows = 4, kColumns = 32, kSteps = 256, kBlock = 16 };

/* c[m, n] = a b, where a(i, p) = a[i step_i + p step_p] and b is [k, n]. */
typedef struct {
  int64_t m, n, k, step_i, step_p;
  const float *a, *b;
  float* c;
} product;

/* Rows i .. i + rows - 1 and columns j .. j + columns - 1, steps p .. p + k - 1. */
static void tile(const product* at, int64_t i, int64_t rows, int64_t j, int64_t columns, int64_t p, int64_t k) {
  float sum[kRows][kColumns] = {{0}};
  const float* a[kRows];
  for (int64_t r = 0; r < kRows; ++r) a[r] = at->a + (i + (r < rows ? r : 0)) * at->step_i + p * at->step_p;
  const float* b = at->b + p * at->n + j;
  for (int64_t q = 0; q < k; ++q, b += at->n) {
    if (columns == kColumns) {
      for (int r = 0; r < kRows; ++r)
        for (int s = 0; s < kColumns; ++s) sum[r][s] += a[r][q * at->step_p] * b[s];
    } else {
      for (int r = 0; r < kRows; ++r)
        for (int64_t s = 0; s < columns; ++s) sum[r][s] += a[r][q * at->step_p] * b[s];
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* c = at->c + (i + r) * at->n + j;
    for (int64_t s = 0; s < columns; ++s) c[s] = p == 0 ? sum[r][s] : c[s] + sum[r][s];
  }
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void rows_of_product(void* context, int64_t block) {
  const product* at = (const product*)context;
  const int64_t first = block * kBlock, last = least(first + kBlock, at->m);
  for (int64_t p = 0; p < at->k; p += kSteps)
    for (int64_t j = 0; j < at->n; j += kColumns)
      for (int64_t i = first; i < last; i += kRows)
        tile(at, i, least(kRows, last - i), j, least(kColumns, at->n - j), p, least(kSteps, at->k - p));
}

static void multiply(const morphmlp_call* call, product at) {
  call->parallel((at.m + kBlock - 1) / kBlock, rows_of_product, &at);
}

typedef struct {
  int64_t rows, n, k;
} sizes;

static sizes sizes_of(const morphmlp_call* call) {
  const int64_t* weight = morphmlp_input(call, "weight")->shape;
  const sizes at = {morphmlp_input(call, "x")->shape[0], weight[0], weight[1]};
  return at;
}

/* The transposed weight, for the forward. */
static size_t workspace(const morphmlp_call* call, int32_t backward) {
  const sizes at = sizes_of(call);
  return backward ? 0 : (size_t)(at.n * at.k) * sizeof(float);
}

static int32_t forward(const morphmlp_call* call) {
  const sizes at = sizes_of(call);
  const float *weight = morphmlp_in(call, "weight"), *bias = morphmlp_in(call, "bias");
  float *transposed = (float*)call->workspace, *y = morphmlp_out(call, "y");
  for (int64_t n = 0; n < at.n; ++n)
    for (int64_t k = 0; k < at.k; ++k) transposed[k * at.n + n] = weight[n * at.k + k];
  const product of_x = {at.rows, at.n, at.k, at.k, 1, morphmlp_in(call, "x"), transposed, y};
  multiply(call, of_x);
  for (int64_t r = 0; bias && r < at.rows; ++r)
    for (int64_t n = 0; n < at.n; ++n) y[r * at.n + n] += bias[n];
  return MORPHMLP_OK;
}

/* dbias: column sums of dy, in double to bound the rounding error. */
typedef struct {
  sizes at;
  const float* dy;
  float* dbias;
} sums;

static void column_sum(void* context, int64_t n) {
  const sums* s = (const sums*)context;
  double sum = 0;
  for (int64_t r = 0; r < s->at.rows; ++r) sum += s->dy[r * s->at.n + n];
  s->dbias[n] = (float)sum;
}

static int32_t backward(const morphmlp_call* call) {
  const sizes at = sizes_of(call);
  const float *x = morphmlp_in(call, "x"), *weight = morphmlp_in(call, "weight"), *dy = morphmlp_in(call, "dy");
  float *dx = morphmlp_out(call, "dx"), *dweight = morphmlp_out(call, "dweight");
  sums of_dy = {at, dy, morphmlp_out(call, "dbias")};
  const product of_weight = {at.n, at.k, at.rows, 1, at.n, dy, x, dweight};
  const product of_dx = {at.rows, at.k, at.n, at.n, 1, dy, weight, dx};
  if (dweight) multiply(call, of_weight);
  if (of_dy.dbias) call->parallel(at.n, column_sum, &of_dy);
  if (dx) multiply(call, of_dx);
  return MORPHMLP_OK;
}

MORPHMLP_EXPORT const morphmlp_kernel* morphmlp_kernel_entry(void) {
  static const morphmlp_kernel kernel = {MORPHMLP_KERNEL_ABI, MORPHMLP_CPU, "linear", "starter",
                                         MORPHMLP_FLAGS,      workspace,    forward,  backward,
                                         MORPHMLP_TAKES_F32,  NULL,         0};
  return &kernel;
}
