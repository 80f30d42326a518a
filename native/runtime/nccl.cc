#include "runtime/nccl.h"

#include <dlfcn.h>

#include "runtime/error.h"

namespace morphmlp {
namespace {

template <class F>
void find(void* library, const std::string& file, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (!function) fail(file + ": it has no " + name + ", so it is not NCCL 2.14 or newer");
}

std::string version_text(int version) {
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

}  // namespace

Nccl load_nccl(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) fail(dlerror());
  Nccl nccl;
  find(handle, library, "ncclGetVersion", nccl.get_version);
  find(handle, library, "ncclGetUniqueId", nccl.get_unique_id);
  find(handle, library, "ncclCommInitRankConfig", nccl.comm_init_rank_config);
  find(handle, library, "ncclCommGetAsyncError", nccl.comm_get_async_error);
  find(handle, library, "ncclCommFinalize", nccl.comm_finalize);
  find(handle, library, "ncclCommDestroy", nccl.comm_destroy);
  find(handle, library, "ncclCommAbort", nccl.comm_abort);
  find(handle, library, "ncclGroupStart", nccl.group_start);
  find(handle, library, "ncclGroupEnd", nccl.group_end);
  find(handle, library, "ncclSend", nccl.send);
  find(handle, library, "ncclRecv", nccl.recv);
  find(handle, library, "ncclAllGather", nccl.all_gather);
  find(handle, library, "ncclAllReduce", nccl.all_reduce);
  find(handle, library, "ncclGetErrorString", nccl.get_error_string);
  find(handle, library, "ncclGetLastError", nccl.get_last_error);
  int version = 0;
  nccl.get_version(&version);
  if (version < static_cast<int>(Nccl::kOldest))
    fail(library + ": NCCL 2.14 or newer is needed, it is " + version_text(version));
  nccl.version = "NCCL " + version_text(version);
  return nccl;
}

}  // namespace morphmlp
