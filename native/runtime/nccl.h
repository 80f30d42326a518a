// The part of NCCL that sums of gradients need, from a library that is loaded at run time. Names and values are those
// of nccl.h; streams are cudaStream_t.
#pragma once
#include <cstddef>
#include <string>

namespace morphmlp {

struct Nccl {
  using Comm = void*;
  struct UniqueId {
    char bytes[128];
  };
  // ncclConfig_t of NCCL 2.14; later versions know it by `size` and `version`.
  struct Config {
    size_t size = sizeof(Config);
    unsigned magic = 0xcafebeef;
    unsigned version = kOldest;
    int blocking = 0;
  };
  static constexpr unsigned kOldest = 21400;  // 2.14, the first with communicators that do not block
  static constexpr int kSuccess = 0, kInProgress = 7;
  static constexpr int kFloat = 7, kSum = 0;

  int (*get_version)(int*) = nullptr;
  int (*get_unique_id)(UniqueId*) = nullptr;
  int (*comm_init_rank_config)(Comm*, int, UniqueId, int, Config*) = nullptr;
  int (*comm_get_async_error)(Comm, int*) = nullptr;
  int (*comm_finalize)(Comm) = nullptr;
  int (*comm_destroy)(Comm) = nullptr;
  int (*comm_abort)(Comm) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*send)(const void*, size_t, int, int, Comm, void*) = nullptr;
  int (*recv)(void*, size_t, int, int, Comm, void*) = nullptr;
  int (*all_gather)(const void*, void*, size_t, int, Comm, void*) = nullptr;
  int (*all_reduce)(const void*, void*, size_t, int, int, Comm, void*) = nullptr;
  const char* (*get_error_string)(int) = nullptr;
  const char* (*get_last_error)(Comm) = nullptr;
  std::string version;  // NCCL 2.21.5
};

// Loads a library by its path or file name. Throws if it is not there, is not NCCL or is too old.
Nccl load_nccl(const std::string& library);

}  // namespace morphmlp
