// clang-format off
/* Plugin interface: a shared library in plain C that implements one op of morphmlp.
 *
 *   morphmlp kernel new my_morph_fc                     writes a working template
 *   morphmlp kernel build my_morph_fc.cc                compiles it
 *   morphmlp kernel check ./my_morph_fc.so              compares it with float64
 *   morphmlp bench kernels --plugin ./my_morph_fc.so    compares its speed
 *   morphmlp train --plugin ./my_morph_fc.so ...        trains with it
 *
 * The library exports `morphmlp_kernel_entry`, which returns a description with static lifetime.
 *
 * Tensors are row-major and contiguous, aligned to 64 bytes, and valid during the call. All are f32, except that
 * activations (x, xt, y and their gradients) are bf16 in a bf16 run, if the kernel takes it (`dtypes`). A forward reads
 * its inputs and writes all of y. A backward gets the same inputs and `dy`, and writes all of d<input> for each gradient
 * that is needed; `scale` has none. `data` is NULL for an absent tensor, marked ? below, and for a gradient that is not
 * needed. Inputs must not be written. Outputs are uninitialized before the call.
 *
 * Ops and their tensors (rows are all leading dimensions, flattened into one):
 *
 *   gelu           x[n]
 *                  y[n] = x Phi(x), the exact GELU
 *
 *   layer_norm     x[rows, C], gamma[C], beta[C]; attribute eps
 *                  y[rows, C], with the biased variance
 *
 *   linear         x[rows, K], weight[N, K], bias?[N]
 *                  y[rows, N] = x weight^T + bias
 *
 *   morph_fc       x[frames, H, W, C], weight[C, C], bias?[C]; attributes chunk (L), vertical, strided
 *                  y[frames, H, W, C]. Token n of a frame is n = h W + w, or w H + h if vertical. Chunk j of the
 *                  J = ceil(H W / L) chunks has the tokens j L + l, or l J + j if strided, l = 0 .. L - 1. With
 *                  S = C / L, element l S + s of row (j, g) of the FC is x[token l][g S + s], and the results are
 *                  scattered to the same elements of y. Tokens past H W read as zero and are not written.
 *
 *   temporal_fc    x[clips, T, positions, C], weight[T S, T S], bias?[T S]; attribute groups (G), S = C / G
 *                  y has the shape of x. Element t S + s of row (position, g) of the FC is x[t][g S + s]; likewise for y.
 *
 * Fused ops, whole parts of a block. LN is layer_norm with gamma[C], beta[C] and attribute eps; scale?[clips] (drop
 * path) multiplies what is added to x:
 *
 *   norm_mlp       x[clips, rows, C], gamma, beta, w1[hidden, C], b1[hidden], w2[C, hidden], b2[C], scale?
 *                  y = x + scale (gelu(LN(x) w1^T + b1) w2^T + b2)
 *
 *   norm_temporal  x[clips, T, positions, C], gamma, beta, weight[T S, T S], bias?[T S], proj[C, C], proj_bias[C];
 *                  attributes eps, groups
 *                  y = x + temporal_fc(LN(x)) proj^T + proj_bias
 *
 *   norm_spatial   x[clips, T, H, W, C], xt (like x), gamma, beta, weight0[C, C], bias0?[C], weight1, bias1?, weight2?,
 *                  bias2?, fc1[hidden, C], fc1_bias[hidden], fc2[C n, hidden], fc2_bias[C n], proj[C, C],
 *                  proj_bias[C], scale?; attributes eps, chunk, strided, branches (n)
 *                  branch_i of LN(xt): morph_fc by height (0), by width (1), and linear (2); or, if strided, n is 2:
 *                  morph_fc in strided order by width (0), and linear (1).
 *                  w = softmax over i of fc2(gelu(fc1(p))), p[clip, C] = the mean over the clip's tokens of the sum of
 *                  the branches; score n c + i is of channel c and branch i.
 *                  y = x + scale ((sum over i of w_i branch_i) proj^T + proj_bias)
 *
 *   conv3d         x[B, T, H, W, C], or x[B, C, T, H, W] if planar, weight[out, C / groups, kt, kh, kw], bias?[out];
 *                  attributes planar, groups, stride_t, _h, _w, padding_t, _h, _w, padding_behind_t, _h, _w
 *                  y[B, T', H', W', out], zero padding before and behind each axis; with groups, group g of the outputs
 *                  depends on group g of the channels
 */
// clang-format on
#ifndef MORPHMLP_KERNEL_H
#define MORPHMLP_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Libraries of version 1, which end at `backward`, are loaded too. */
#define MORPHMLP_KERNEL_ABI 2

/* Element types. */
enum { MORPHMLP_F32 = 0, MORPHMLP_BF16 = 1, MORPHMLP_I32 = 2, MORPHMLP_U8 = 3 };
enum { MORPHMLP_CPU = 0, MORPHMLP_CUDA = 1 };

/* Bits of `dtypes`: the activations that a kernel takes. */
enum { MORPHMLP_TAKES_F32 = 1, MORPHMLP_TAKES_BF16 = 2 };

/* Return values of forward and backward. */
enum {
  MORPHMLP_OK = 0,
  MORPHMLP_UNSUPPORTED = 1, /* these shapes are not supported; `message` says why. There is no fallback. */
  MORPHMLP_FAILED = 2       /* `message` says why */
};

typedef struct {
  const char* name; /* "x", "weight", "dy", "dx", ... */
  void* data;       /* NULL: absent bias, or gradient not needed */
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  const int64_t* strides; /* in elements */
} morphmlp_tensor;

typedef struct {
  const char* name;
  double value; /* integers are exact; true is 1 */
} morphmlp_attribute;

/* A tuning parameter of a kernel. Calls get its value as an attribute of this name; `morphmlp kernel tune` tries
 * the values and keeps the fastest in a file beside the library. */
typedef struct {
  const char* name;
  const double* values; /* the first is the default */
  int32_t count;
} morphmlp_parameter;

typedef struct morphmlp_call {
  size_t size; /* sizeof(morphmlp_call); later versions may be larger */
  const char* op;
  const morphmlp_tensor* inputs;
  const morphmlp_tensor* outputs;
  const morphmlp_attribute* attributes;
  int32_t input_count, output_count, attribute_count;
  int32_t device;
  int32_t threads; /* number of threads of `parallel` */
  void* stream;    /* cudaStream_t on CUDA, NULL on the CPU */
  void* workspace; /* workspace_bytes bytes, as requested by `workspace` of the kernel */
  size_t workspace_bytes;
  /* CPU only. Runs task(context, 0 .. tasks - 1) on the program's threads and returns when all are done. Results have
   * the same bits for any number of threads if the tasks do not depend on `threads`. */
  void (*parallel)(int64_t tasks, void (*task)(void* context, int64_t index), void* context);
  char* message; /* buffer of `message_bytes` bytes for one sentence, null-terminated */
  size_t message_bytes;
} morphmlp_call;

typedef struct {
  int32_t abi; /* MORPHMLP_KERNEL_ABI */
  int32_t device;
  const char* op;
  const char* name;
  const char* flags; /* compiler flags, reported with every measurement */
  /* Returns the workspace bytes of a call; NULL if no workspace is needed. Must not read tensor data. */
  size_t (*workspace)(const morphmlp_call* call, int32_t backward);
  int32_t (*forward)(const morphmlp_call* call);
  int32_t (*backward)(const morphmlp_call* call); /* NULL: no gradients, so no training */
  /* Since version 2: */
  int32_t dtypes; /* MORPHMLP_TAKES_F32 | MORPHMLP_TAKES_BF16; 0: f32 */
  const morphmlp_parameter* parameters;
  int32_t parameter_count;
} morphmlp_kernel;

#if defined(_WIN32)
#define MORPHMLP_EXPORT __declspec(dllexport)
#else
#define MORPHMLP_EXPORT __attribute__((visibility("default")))
#endif

/* Type of the exported entry function. */
typedef const morphmlp_kernel* (*morphmlp_kernel_entry_function)(void);

/* -- for use in kernels -- */

#ifndef MORPHMLP_FLAGS
#define MORPHMLP_FLAGS "flags unknown"
#endif

static inline const morphmlp_tensor* morphmlp_find(const morphmlp_tensor* tensors, int32_t count, const char* name) {
  for (int32_t i = 0; i < count; ++i)
    if (strcmp(tensors[i].name, name) == 0) return tensors + i;
  return NULL;
}

/* Finds a tensor by name; NULL if the op has no such tensor. */
static inline const morphmlp_tensor* morphmlp_input(const morphmlp_call* call, const char* name) {
  return morphmlp_find(call->inputs, call->input_count, name);
}

static inline const morphmlp_tensor* morphmlp_output(const morphmlp_call* call, const char* name) {
  return morphmlp_find(call->outputs, call->output_count, name);
}

/* Data of an input or output; NULL if it is absent. */
static inline const float* morphmlp_in(const morphmlp_call* call, const char* name) {
  const morphmlp_tensor* t = morphmlp_input(call, name);
  return t ? (const float*)t->data : NULL;
}

static inline float* morphmlp_out(const morphmlp_call* call, const char* name) {
  const morphmlp_tensor* t = morphmlp_output(call, name);
  return t ? (float*)t->data : NULL;
}

/* Value of an attribute; 0 if the op has no such attribute. */
static inline double morphmlp_attribute_of(const morphmlp_call* call, const char* name) {
  for (int32_t i = 0; i < call->attribute_count; ++i)
    if (strcmp(call->attributes[i].name, name) == 0) return call->attributes[i].value;
  return 0;
}

/* Sets the error message and returns `status`. */
static inline int32_t morphmlp_say(const morphmlp_call* call, int32_t status, const char* message) {
  if (call->message_bytes > 0) {
    strncpy(call->message, message, call->message_bytes - 1);
    call->message[call->message_bytes - 1] = 0;
  }
  return status;
}

#ifdef __cplusplus
}
#endif
#endif
