// Counters of Linux (perf_event_open) over all threads of the process: instructions, cycles, cache misses.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace morphmlp {

// A counter: `type` and `config` of perf_event_attr.
struct PerfEvent {
  uint32_t type;
  uint64_t config;
};

// Starts counters for every thread that runs now, user space only, and ends those started before. Returns the reason if
// the system does not offer them; empty if they count.
std::string perf_open(const std::vector<PerfEvent>& events);

// The counts of each event since perf_open, summed over the threads. A counter that shared its hardware is scaled by
// the time that it counted.
std::vector<double> perf_read();

void perf_close();

}  // namespace morphmlp
