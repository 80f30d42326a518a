// Guards Buffer::derived of buffers that several threads read: the event loop and a run (node/run.h).
#pragma once
#include <mutex>

namespace morphmlp {

std::mutex& derived_mutex();

}  // namespace morphmlp
