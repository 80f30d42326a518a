// clang-format off
/* A kernel of your own for an op of morphmlp: one shared library, one entry, plain C.
 *
 *   morphmlp kernel new my_morph_fc                     writes one that works
 *   morphmlp kernel build my_morph_fc.cc                compiles it
 *   morphmlp kernel check ./my_morph_fc.so              holds it to float64
 *   morphmlp bench kernels --plugin ./my_morph_fc.so    ranks it beside others
 *   morphmlp train --plugin ./my_morph_fc.so ...        trains with it
 *
 * The library exports `morphmlp_kernel_entry`, which returns a description that lives as long as the library.
 *
 * Tensors are f32, row-major and contiguous, aligned to 64 bytes, and live for the length of the call. A forward reads
 * its inputs and writes all of y. A backward gets the same inputs and `dy`, and writes all of d<input> for each input
 * whose gradient is wanted. A tensor whose `data` is NULL is not there (a bias) or not wanted (a gradient). Inputs must
 * not be written. Outputs hold NaN or anything before the call.
 *
 * What each op is given (rows stands for any leading dimensions, joined into one):
 *
 *   gelu           x[n]
 *                  y[n] = x Phi(x), the exact one
 *
 *   layer_norm     x[rows, C], gamma[C], beta[C]; attribute eps
 *                  y[rows, C], with the biased variance
 *
 *   linear         x[rows, K], weight[N, K], bias[N]
 *                  y[rows, N] = x weight^T + bias
 *
 *   morph_fc       x[frames, H, W, C], weight[C, C], bias[C]; attributes chunk (L), vertical, strided
 *                  y[frames, H, W, C]. Token n of a frame is n = h W + w, or w H + h where vertical. Chunk j of the
 *                  J = ceil(H W / L) chunks has the tokens j L + l, or l J + j where strided, l = 0 .. L - 1. With
 *                  S = C / L, row (j, g) of the FC has x[token l][g S + s] at l S + s, and its result goes back to the
 *                  same places. Tokens past H W are zeros, and are not written.
 *
 *   temporal_fc    x[clips, T, positions, C], weight[T S, T S], bias[T S]; attribute groups (G), S = C / G
 *                  y like x. Row (position, g) of the FC has x[t][g S + s] at t S + s; back to the same places.
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

#define MORPHMLP_KERNEL_ABI 1

/* Element types; kernels are given f32 until this says otherwise. */
enum { MORPHMLP_F32 = 0, MORPHMLP_BF16 = 1, MORPHMLP_I32 = 2, MORPHMLP_U8 = 3 };
enum { MORPHMLP_CPU = 0, MORPHMLP_CUDA = 1 };

/* What forward and backward return. */
enum {
  MORPHMLP_OK = 0,
  MORPHMLP_UNSUPPORTED = 1, /* not for these shapes; `message` says why. Nothing takes its place. */
  MORPHMLP_FAILED = 2       /* `message` says why */
};

typedef struct {
  const char* name; /* "x", "weight", "dy", "dx", ... */
  void* data;       /* NULL: not there, or not wanted */
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  const int64_t* strides; /* in elements */
} morphmlp_tensor;

typedef struct {
  const char* name;
  double value; /* whole numbers are exact; true is 1 */
} morphmlp_attribute;

typedef struct morphmlp_call {
  size_t size; /* of this struct: a later version may be longer */
  const char* op;
  const morphmlp_tensor* inputs;
  const morphmlp_tensor* outputs;
  const morphmlp_attribute* attributes;
  int32_t input_count, output_count, attribute_count;
  int32_t device;
  int32_t threads; /* that `parallel` uses */
  void* stream;    /* cudaStream_t on CUDA, NULL on the CPU */
  void* workspace; /* as many bytes as `workspace` of the kernel asked for */
  size_t workspace_bytes;
  /* Runs task(context, 0 .. tasks - 1) on the program's threads and returns when all are done. CPU alone. Gradients
   * have the same bits for any number of threads where the tasks do not depend on `threads`. */
  void (*parallel)(int64_t tasks, void (*task)(void* context, int64_t index), void* context);
  char* message; /* room for one sentence, `message_bytes` with its 0 */
  size_t message_bytes;
} morphmlp_call;

typedef struct {
  int32_t abi; /* MORPHMLP_KERNEL_ABI */
  int32_t device;
  const char* op;
  const char* name;
  const char* flags; /* of the compiler: stands beside every measurement */
  /* Bytes of workspace for a call, or NULL where none is needed. Its pointers `data` are not to be read. */
  size_t (*workspace)(const morphmlp_call* call, int32_t backward);
  int32_t (*forward)(const morphmlp_call* call);
  int32_t (*backward)(const morphmlp_call* call); /* NULL: no gradient, so no training */
} morphmlp_kernel;

#if defined(_WIN32)
#define MORPHMLP_EXPORT __declspec(dllexport)
#else
#define MORPHMLP_EXPORT __attribute__((visibility("default")))
#endif

/* The function a library exports. */
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

/* The tensor of this name; NULL for a name the op does not have. */
static inline const morphmlp_tensor* morphmlp_input(const morphmlp_call* call, const char* name) {
  return morphmlp_find(call->inputs, call->input_count, name);
}

static inline const morphmlp_tensor* morphmlp_output(const morphmlp_call* call, const char* name) {
  return morphmlp_find(call->outputs, call->output_count, name);
}

/* The numbers of an input or output; NULL where it is not there. */
static inline const float* morphmlp_in(const morphmlp_call* call, const char* name) {
  const morphmlp_tensor* t = morphmlp_input(call, name);
  return t ? (const float*)t->data : NULL;
}

static inline float* morphmlp_out(const morphmlp_call* call, const char* name) {
  const morphmlp_tensor* t = morphmlp_output(call, name);
  return t ? (float*)t->data : NULL;
}

/* An attribute; 0 for a name the op does not have. */
static inline double morphmlp_attribute_of(const morphmlp_call* call, const char* name) {
  for (int32_t i = 0; i < call->attribute_count; ++i)
    if (strcmp(call->attributes[i].name, name) == 0) return call->attributes[i].value;
  return 0;
}

/* Leaves a sentence for the caller and returns `status`. */
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
