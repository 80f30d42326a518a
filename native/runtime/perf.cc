#include "runtime/perf.h"

#include "runtime/error.h"

#if defined(__linux__)

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace morphmlp {
namespace {

// File descriptors by event, one for each thread.
std::vector<std::vector<int>> counters;

std::vector<int> threads_of_process() {
  std::vector<int> ids;
  DIR* folder = opendir("/proc/self/task");
  if (!folder) return {0};  // the calling thread
  while (const dirent* entry = readdir(folder))
    if (const int id = std::atoi(entry->d_name)) ids.push_back(id);
  closedir(folder);
  return ids;
}

int open_counter(const PerfEvent& event, int thread) {
  perf_event_attr attributes;
  std::memset(&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = event.type;
  attributes.config = event.config;
  attributes.exclude_kernel = 1;  // what an ordinary user may count
  attributes.exclude_hv = 1;
  attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

std::string reason(int error) {
  if (error == EACCES || error == EPERM)
    return "this system does not permit them (perf_event_open: " + std::string(std::strerror(error)) +
           "; /proc/sys/kernel/perf_event_paranoid of 2 or less, or CAP_PERFMON, permits them)";
  if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV)
    return "this processor does not offer them, as in most virtual machines (perf_event_open: " +
           std::string(std::strerror(error)) + ")";
  return "perf_event_open: " + std::string(std::strerror(error));
}

}  // namespace

void perf_close() {
  for (const auto& fds : counters)
    for (int fd : fds) close(fd);
  counters.clear();
}

std::string perf_open(const std::vector<PerfEvent>& events) {
  perf_close();
  const std::vector<int> threads = threads_of_process();
  for (const PerfEvent& event : events) {
    counters.emplace_back();
    for (int thread : threads) {
      const int fd = open_counter(event, thread);
      const int error = errno;
      if (fd < 0 && error == ESRCH) continue;  // the thread has ended
      if (fd < 0) {
        perf_close();
        return reason(error);
      }
      counters.back().push_back(fd);
    }
  }
  return "";
}

std::vector<double> perf_read() {
  std::vector<double> sums;
  for (const auto& fds : counters) {
    double sum = 0;
    for (int fd : fds) {
      struct {
        uint64_t value, enabled, running;
      } count = {0, 0, 0};
      if (read(fd, &count, sizeof count) != static_cast<ssize_t>(sizeof count)) fail("a counter cannot be read");
      if (count.running > 0)
        sum += static_cast<double>(count.value) *
               (static_cast<double>(count.enabled) / static_cast<double>(count.running));
    }
    sums.push_back(sum);
  }
  return sums;
}

}  // namespace morphmlp

#else

namespace morphmlp {

void perf_close() {}
std::string perf_open(const std::vector<PerfEvent>&) { return "only Linux offers them"; }
std::vector<double> perf_read() { return {}; }

}  // namespace morphmlp

#endif
