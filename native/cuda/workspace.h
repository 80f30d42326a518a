// Device memory that lives as long as the launches of an op are issued.
#pragma once
#include <vector>

#include "runtime/cuda.h"

namespace morphmlp::cuda {

template <class T>
class Workspace {
 public:
  explicit Workspace(int64_t length)
      : bytes_(static_cast<size_t>(length > 0 ? length : 1) * sizeof(T)),
        data_(static_cast<T*>(cuda::allocate(bytes_))) {}
  ~Workspace() { cuda::release(data_, bytes_); }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  T* data() const { return data_; }

 private:
  size_t bytes_;
  T* data_;
};

// A list of launch arguments, copied to the device.
template <class T>
class Uploaded : public Workspace<T> {
 public:
  explicit Uploaded(const std::vector<T>& list) : Workspace<T>(static_cast<int64_t>(list.size())) {
    upload_arguments(this->data(), list.data(), list.size() * sizeof(T));
  }
};

}  // namespace morphmlp::cuda
