// clang-format off
/* The kernels of morphmlp for C, and whatever calls C (Python's ctypes: bench/peers/morphmlp_ctypes.py).
 *
 * Library: build/Release/libmorphmlp.so. Every kernel of native/ops/ops.def is run by one function, by its name:
 *
 *   float x[6], y[6];
 *   const morphmlp_argument arguments[] = {
 *     {.name = "n", .kind = MORPHMLP_INTEGER, .integer = 6},
 *     {.name = "x", .kind = MORPHMLP_TENSOR, .integer = 6, .data = x},
 *     {.name = "y", .kind = MORPHMLP_TENSOR, .integer = 6, .data = y},
 *   };
 *   if (morphmlp_run("gelu_forward", arguments, 3, NULL) != MORPHMLP_OK) puts(morphmlp_last_error());
 *
 * The arguments of a kernel, in their order, are those that native/bindings/<op>.cc reads; what they mean stands in
 * native/ops/<op>.h. Each is checked, sizes first, then tensors against them: a wrong one is an error that names it,
 * and nothing was computed.
 *
 * On the CPU a call returns when all is computed. On CUDA it returns when all is enqueued in `stream`; what goes wrong
 * there may show at a later call. All work of the library runs in one stream at a time: naming another lets that one
 * wait for the one before.
 *
 * No function throws. Any thread may call; calls to CUDA take turns.
 */
// clang-format on
#ifndef MORPHMLP_H
#define MORPHMLP_H

#include "morphmlp_kernel.h" /* MORPHMLP_F32 .., MORPHMLP_CPU, MORPHMLP_CUDA, MORPHMLP_OK, MORPHMLP_FAILED */

#ifdef __cplusplus
extern "C" {
#endif

#define MORPHMLP_API_VERSION 1

/* What an argument is. */
enum {
  MORPHMLP_NONE = 0,    /* a tensor that is not there (a bias), or not wanted (a gradient) */
  MORPHMLP_INTEGER = 1, /* `integer` */
  MORPHMLP_REAL = 2,    /* `real` */
  MORPHMLP_FLAG = 3,    /* `integer`: 0 or 1 */
  MORPHMLP_TENSOR = 4,  /* `data`, `integer` elements of type `dtype`, on `device` */
  MORPHMLP_LIST = 5     /* `data`: an array of `integer` arguments that are tensors */
};

typedef struct {
  const char* name; /* must be what the kernel calls it; NULL is any */
  int32_t kind;
  int32_t dtype;
  int32_t device;
  int64_t integer;
  double real;
  void* data; /* aligned to its elements; on CUDA: memory of the first GPU, aligned to 16 bytes */
} morphmlp_argument;

/* MORPHMLP_API_VERSION of the library. */
MORPHMLP_EXPORT int32_t morphmlp_api_version(void);

/* The name of kernel `index`, NULL past the last. */
MORPHMLP_EXPORT const char* morphmlp_kernel_name(int32_t index);

/* What the calling thread's last call that failed said; "" before the first. Valid until the next call that fails. */
MORPHMLP_EXPORT const char* morphmlp_last_error(void);

/* Runs a kernel: MORPHMLP_OK or MORPHMLP_FAILED. `stream` is a cudaStream_t (NULL: CUDA's default stream), NULL on the
 * CPU. */
MORPHMLP_EXPORT int32_t morphmlp_run(const char* kernel, const morphmlp_argument* arguments, int32_t count,
                                     void* stream);

/* The device in words; NULL where it is not there, and the last error says why. Valid until the thread's next call. */
MORPHMLP_EXPORT const char* morphmlp_device(int32_t device);

/* The threads of the CPU's kernels, 1 to 256. */
MORPHMLP_EXPORT int32_t morphmlp_set_threads(int32_t threads);

/* For callers without memory of their own on a device. `release` wants the bytes that were asked for. NULL on failure.
 */
MORPHMLP_EXPORT void* morphmlp_allocate(int32_t device, size_t bytes);
MORPHMLP_EXPORT int32_t morphmlp_release(int32_t device, void* data, size_t bytes);

/* Between a device and the host's memory, after all that was enqueued before. */
MORPHMLP_EXPORT int32_t morphmlp_write(int32_t device, void* to, const void* from_host, size_t bytes);
MORPHMLP_EXPORT int32_t morphmlp_read(int32_t device, void* to_host, const void* from, size_t bytes);

/* Waits until all that was enqueued is done, and reports what went wrong. */
MORPHMLP_EXPORT int32_t morphmlp_synchronize(int32_t device);

#ifdef __cplusplus
}
#endif

#endif
