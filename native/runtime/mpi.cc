#include "runtime/mpi.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "runtime/error.h"

namespace morphmlp {
namespace {

constexpr int kMaxVersion = 8192;  // at least MPI_MAX_LIBRARY_VERSION_STRING of every implementation

// UCX, below MPICH and Open MPI on some machines, replaces the allocator's system calls as soon as it is loaded, unless
// it is told not to. Node's threads use them at that moment: one load in a hundred crashed, and one start of a job in
// twenty.
void* open_library(const std::string& library, int scope) {
  setenv("UCX_MEM_EVENTS", "n", 0);
  void* handle = dlopen(library.c_str(), RTLD_NOW | scope);
  if (!handle) fail(dlerror());
  return handle;
}

template <class F>
void find(void* library, const std::string& file, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (!function) fail(file + ": it has no " + name + ", so it is not an MPI library");
}

std::string version_of(void* library, const std::string& file) {
  int (*get)(char*, int*) = nullptr;
  find(library, file, "MPI_Get_library_version", get);
  std::string text(kMaxVersion, '\0');
  int length = 0;
  get(&text[0], &length);
  text = text.c_str();
  std::replace(text.begin(), text.end(), '\t', ' ');
  return text.substr(0, text.find_first_of(",\n"));
}

Mpi::Handle integer(uintptr_t value) { return reinterpret_cast<Mpi::Handle>(value); }

// The handles of an implementation.
void set_handles(void* library, const std::string& file, Mpi& mpi) {
  if (dlsym(library, "ompi_mpi_comm_world")) {
    find(library, file, "ompi_mpi_comm_world", mpi.world);
    find(library, file, "ompi_mpi_byte", mpi.byte);
    find(library, file, "ompi_mpi_float", mpi.real);
    find(library, file, "ompi_mpi_op_sum", mpi.sum);
  } else if (file.find("mpi_abi") != std::string::npos) {  // MPI 5.0, appendix A
    mpi.world = integer(0x101), mpi.byte = integer(0x247), mpi.real = integer(0x210), mpi.sum = integer(0x21);
  } else {  // MPICH and what has its ABI: Intel MPI, MVAPICH, Cray MPICH
    mpi.world = integer(0x44000000), mpi.byte = integer(0x4c00010d);
    mpi.real = integer(0x4c00040a), mpi.sum = integer(0x58000003);
  }
}

}  // namespace

Mpi load_mpi(const std::string& library) {
  void* handle = open_library(library, RTLD_GLOBAL);
  Mpi mpi;
  mpi.version = version_of(handle, library);
  set_handles(handle, library, mpi);
  find(handle, library, "MPI_Init_thread", mpi.init_thread);
  find(handle, library, "MPI_Comm_size", mpi.comm_size);
  find(handle, library, "MPI_Comm_rank", mpi.comm_rank);
  find(handle, library, "MPI_Isend", mpi.isend);
  find(handle, library, "MPI_Irecv", mpi.irecv);
  find(handle, library, "MPI_Ibcast", mpi.ibcast);
  find(handle, library, "MPI_Iallgather", mpi.iallgather);
  find(handle, library, "MPI_Ialltoall", mpi.ialltoall);
  find(handle, library, "MPI_Iallreduce", mpi.iallreduce);
  find(handle, library, "MPI_Test", mpi.test);
  find(handle, library, "MPI_Abort", mpi.abort);
  find(handle, library, "MPI_Finalize", mpi.finalize);
  return mpi;
}

std::string describe_mpi(const std::string& library) { return version_of(open_library(library, RTLD_LOCAL), library); }

}  // namespace morphmlp
