// Runs the cases, each in a process of its own with a time limit: a fault of CUDA lasts as long as its process, and a
// kernel that hangs cannot be stopped otherwise. One line of JSON a case.
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include "runtime/cuda.h"
#include "test/smoke/smoke.h"

namespace morphmlp::smoke {
namespace {

constexpr char kUsage[] =
    "usage: smoke [--limit SECONDS] [--list] [--one-process] [CASE...]\n"
    "Prints a line of JSON for each case: status ok, wrong, hang or crash. Exit status 1 unless all are ok.\n"
    "--limit: seconds a case may take (10). --one-process: no processes and no limits, for compute-sanitizer.\n";

constexpr char kResult[] = "smoke result ";  // begins the line by which a case reports to its parent

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Report {
  std::string name, status, note;
  Figures figures;
  double seconds = 0;
};

std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4g", v);
  return std::isfinite(v) ? text : "null";
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return out + '"';
}

bool print(const Report& r) {
  const Figures& f = r.figures;
  std::printf("{\"case\":%s,\"status\":%s,\"error\":%s,\"limit\":%s,\"ms\":%s,\"seconds\":%s,\"note\":%s}\n",
              quoted(r.name).c_str(), quoted(r.status).c_str(), number(f.error).c_str(), number(f.limit).c_str(),
              number(f.ms).c_str(), number(r.seconds).c_str(), quoted(r.note).c_str());
  std::fflush(stdout);
  return r.status == "ok";
}

void judge(Report& r, const Figures& figures) {
  const bool compared = figures.limit > 0;
  r.figures = figures;
  r.status = compared && figures.error <= figures.limit ? "ok" : "wrong";
  if (r.status == "wrong") r.note = compared ? figures.what : "nothing was compared";
}

// Runs the case in this process.
Report run_here(const Case& c) {
  Report r{c.name, "crash", "", {}, 0};
  const auto start = Clock::now();
  try {
    std::string reason;
    if (!cuda_kernels(&reason)) throw std::runtime_error("no CUDA device: " + reason);
    judge(r, c.run());
  } catch (const std::exception& error) {
    r.note = error.what();
  }
  r.seconds = seconds_since(start);
  return r;
}

// The child's part: reports by one line.
int run_child(const Case& c) {
  const Report r = run_here(c);
  const Figures& f = r.figures;
  std::printf("\n%s%s %.17g %.17g %.17g %s\n", kResult, r.status.c_str(), f.error, f.limit, f.ms, r.note.c_str());
  return r.status == "ok" ? 0 : 1;
}

pid_t start_child(const char* name, int* output) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error(std::string("pipe: ") + std::strerror(errno));
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (child == 0) {
    dup2(ends[1], 1);
    dup2(ends[1], 2);
    close(ends[0]);
    close(ends[1]);
    execl("/proc/self/exe", "smoke", "--case", name, nullptr);
    _exit(127);
  }
  close(ends[1]);
  *output = ends[0];
  return child;
}

// Reads until the end or the limit; false at the limit.
bool read_until(int from, double limit, std::string* text) {
  const auto start = Clock::now();
  for (;;) {
    const double left = limit - seconds_since(start);
    pollfd ready{from, POLLIN, 0};
    if (left <= 0 || poll(&ready, 1, static_cast<int>(left * 1000) + 1) == 0) return false;
    char part[4096];
    const ssize_t got = read(from, part, sizeof(part));
    if (got <= 0) return true;
    text->append(part, static_cast<size_t>(got));
  }
}

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

void parse_result(const std::string& text, Report& r) {
  const size_t at = text.rfind(kResult);
  char status[16] = "";
  int read = 0;
  Figures& f = r.figures;
  if (at == std::string::npos || std::sscanf(text.c_str() + at + sizeof(kResult) - 1, "%15s %lf %lf %lf %n", status,
                                             &f.error, &f.limit, &f.ms, &read) < 4)
    return;
  r.status = status;
  r.note = text.substr(at + sizeof(kResult) - 1 + static_cast<size_t>(read));
  r.note = r.note.substr(0, r.note.find('\n'));
}

Report run_apart(const Case& c, double limit) {
  Report r{c.name, "crash", "", {}, 0};
  const auto start = Clock::now();
  int output = -1, ended = 0;
  const pid_t child = start_child(c.name, &output);
  std::string text;
  const bool in_time = read_until(output, limit, &text);
  if (!in_time) kill(child, SIGKILL);
  waitpid(child, &ended, 0);
  close(output);
  r.seconds = seconds_since(start);
  if (!in_time) {
    r.status = "hang", r.note = "ended after " + number(limit) + " s";
    return r;
  }
  parse_result(text, r);
  const std::string signal = WIFSIGNALED(ended) ? strsignal(WTERMSIG(ended)) : "";
  if (!signal.empty() || r.status.empty()) r.status = "crash", r.note = signal + ": " + last_line(text);
  if (r.status == "crash" && r.note.empty()) r.note = "ended without a result: " + last_line(text);
  return r;
}

const Case& case_named(const std::vector<Case>& all, const std::string& name) {
  for (const Case& c : all)
    if (name == c.name) return c;
  throw std::runtime_error("unknown case '" + name + "' (smoke --list)");
}

struct Options {
  double limit = 10;
  bool list = false, one_process = false, child = false;
  std::vector<Case> chosen;
};

Options parse(int count, char** words) {
  Options o;
  std::vector<Case> all = cases();
  const std::vector<Case> planted = planted_cases();
  std::vector<Case> known = all;
  known.insert(known.end(), planted.begin(), planted.end());
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--list")
      o.list = true;
    else if (word == "--one-process")
      o.one_process = true;
    else if (word == "--case")
      o.child = true;
    else if (word == "--limit") {
      o.limit = i + 1 < count ? std::atof(words[++i]) : 0;
      if (!(o.limit > 0)) throw std::runtime_error("--limit: expected seconds above 0");
    } else if (word[0] == '-')
      throw std::runtime_error("unknown option '" + word + "'");
    else
      o.chosen.push_back(case_named(known, word));
  }
  if (o.chosen.empty()) o.chosen = all;
  return o;
}

int run(int count, char** words) {
  const Options o = parse(count, words);
  if (o.child) return run_child(o.chosen.front());
  bool right = true;
  for (const Case& c : o.chosen) {
    if (o.list)
      std::printf("%s\n", c.name);
    else
      right = print(o.one_process ? run_here(c) : run_apart(c, o.limit)) && right;
  }
  return right ? 0 : 1;
}

}  // namespace
}  // namespace morphmlp::smoke

int main(int count, char** words) {
  using namespace morphmlp::smoke;
  try {
    return run(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "smoke: %s\n%s", error.what(), kUsage);
    return 2;
  }
}
