// clang-format off
/* C interface to the kernels of morphmlp, also for foreign function interfaces (Python: bench/peers/morphmlp_ctypes.py).
 *
 * Library: build/Release/libmorphmlp.so. One function runs every kernel of native/ops/ops.def, by name:
 *
 *   float x[6], y[6];
 *   const morphmlp_argument arguments[] = {
 *     {.name = "n", .kind = MORPHMLP_INTEGER, .integer = 6},
 *     {.name = "x", .kind = MORPHMLP_TENSOR, .integer = 6, .data = x},
 *     {.name = "y", .kind = MORPHMLP_TENSOR, .integer = 6, .data = y},
 *   };
 *   if (morphmlp_run("gelu_forward", arguments, 3, NULL) != MORPHMLP_OK) puts(morphmlp_last_error());
 *
 * native/ops/<op>.def lists the arguments of a kernel, in their order, and documents them. Sizes are checked first, then
 * tensors against the sizes. An invalid argument is an error that names it, and nothing is computed.
 *
 * On the CPU a call is synchronous. On CUDA it returns when the work is queued in `stream`, and a later call may report
 * its errors. All work of the library is in one stream at a time: another stream first waits for the previous one.
 *
 * No function throws. All functions are thread-safe; CUDA calls are serialized.
 */
// clang-format on
#ifndef MORPHMLP_H
#define MORPHMLP_H

#include "morphmlp_kernel.h" /* MORPHMLP_F32 .., MORPHMLP_CPU, MORPHMLP_CUDA, MORPHMLP_OK, MORPHMLP_FAILED */

#ifdef __cplusplus
extern "C" {
#endif

#define MORPHMLP_API_VERSION 1

/* Kinds of arguments. */
enum {
  MORPHMLP_NONE = 0,    /* an absent tensor: no bias, or a gradient that is not needed */
  MORPHMLP_INTEGER = 1, /* `integer` */
  MORPHMLP_REAL = 2,    /* `real` */
  MORPHMLP_FLAG = 3,    /* `integer`: 0 or 1 */
  MORPHMLP_TENSOR = 4,  /* `data`, `integer` elements of type `dtype`, on `device` */
  MORPHMLP_LIST = 5     /* `data`: an array of `integer` arguments that are tensors */
};

typedef struct {
  const char* name; /* must match the name of the parameter, unless NULL */
  int32_t kind;
  int32_t dtype;
  int32_t device;
  int64_t integer;
  double real;
  void* data; /* aligned to the element size; on CUDA: memory of the first GPU, aligned to 16 bytes */
} morphmlp_argument;

/* The MORPHMLP_API_VERSION that the library was compiled with. */
MORPHMLP_EXPORT int32_t morphmlp_api_version(void);

/* The name of kernel `index`; NULL if index is out of range. */
MORPHMLP_EXPORT const char* morphmlp_kernel_name(int32_t index);

/* Error message of the calling thread's last failed call; "" if none failed. Valid until its next failed call. */
MORPHMLP_EXPORT const char* morphmlp_last_error(void);

/* Runs a kernel. Returns MORPHMLP_OK or MORPHMLP_FAILED. `stream` is a cudaStream_t (NULL: CUDA's default stream); pass
 * NULL on the CPU. */
MORPHMLP_EXPORT int32_t morphmlp_run(const char* kernel, const morphmlp_argument* arguments, int32_t count,
                                     void* stream);

/* Description of the device; NULL if it is unavailable (see morphmlp_last_error). Valid until the thread's next call.
 */
MORPHMLP_EXPORT const char* morphmlp_device(int32_t device);

/* Sets the number of threads of CPU kernels, 1 to 256. */
MORPHMLP_EXPORT int32_t morphmlp_set_threads(int32_t threads);

/* Allocates device memory, NULL on failure. `bytes` of morphmlp_release must equal that of morphmlp_allocate. */
MORPHMLP_EXPORT void* morphmlp_allocate(int32_t device, size_t bytes);
MORPHMLP_EXPORT int32_t morphmlp_release(int32_t device, void* data, size_t bytes);

/* Copy between host and device memory, after all work queued before. */
MORPHMLP_EXPORT int32_t morphmlp_write(int32_t device, void* to, const void* from_host, size_t bytes);
MORPHMLP_EXPORT int32_t morphmlp_read(int32_t device, void* to_host, const void* from, size_t bytes);

/* Waits for all queued work and reports its errors. */
MORPHMLP_EXPORT int32_t morphmlp_synchronize(int32_t device);

#ifdef __cplusplus
}
#endif

#endif
