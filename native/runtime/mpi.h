// The part of MPI that ranks of a training need, from a library that is loaded at run time: one binary serves every
// MPI, and none is needed to build. Handles of MPI types differ between implementations: pointers to symbols in Open
// MPI, integers in MPICH and in MPI 5's standard ABI. All fit a pointer, and are passed as one.
#pragma once
#include <string>

namespace morphmlp {

struct Mpi {
  using Handle = void*;
  using Request = void*;  // of at most this size in every implementation
  // An MPI_Status of any implementation.
  struct Status {
    alignas(8) char bytes[128];
  };

  Handle world = nullptr, byte = nullptr, real = nullptr, sum = nullptr;
  int (*init_thread)(int*, char***, int, int*) = nullptr;
  int (*comm_size)(Handle, int*) = nullptr;
  int (*comm_rank)(Handle, int*) = nullptr;
  int (*isend)(const void*, int, Handle, int, int, Handle, Request*) = nullptr;
  int (*irecv)(void*, int, Handle, int, int, Handle, Request*) = nullptr;
  int (*ibcast)(void*, int, Handle, int, Handle, Request*) = nullptr;
  int (*iallgather)(const void*, int, Handle, void*, int, Handle, Handle, Request*) = nullptr;
  int (*ialltoall)(const void*, int, Handle, void*, int, Handle, Handle, Request*) = nullptr;
  int (*iallreduce)(const void*, void*, int, Handle, Handle, Handle, Request*) = nullptr;
  int (*test)(Request*, int*, Status*) = nullptr;
  int (*abort)(Handle, int) = nullptr;
  int (*finalize)() = nullptr;
  std::string version;  // one line: the implementation and its version
};

// Loads a library by its path or file name. Symbols become global, since Open MPI's plugins look for them.
// Throws if it is not there or is not an MPI.
Mpi load_mpi(const std::string& library);

// The version of a library, which is loaded without making its symbols global. Throws as load_mpi does.
std::string describe_mpi(const std::string& library);

}  // namespace morphmlp
