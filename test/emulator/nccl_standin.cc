// A stand-in for libnccl.so.2 beside the emulated device, for tests: it moves data between processes through files,
// works in the background as a communicator does that does not block, refuses what NCCL would, and logs its calls.
//   NCCL_STANDIN         a folder for logs (rank0.log, ...) and messages
//   NCCL_STANDIN_FAULT   <rank>:<call>:<n>:<error|hang>: the n-th such call of the rank fails later, or never ends
//   NCCL_STANDIN_VERSION version number to report
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "test/emulator/stream.h"

#define STANDIN extern "C" __attribute__((visibility("default")))

namespace {

using morphmlp::cuda::EmulatedStream;

enum Result { kSuccess = 0, kInvalidArgument = 4, kInvalidUsage = 5, kRemoteError = 6, kInProgress = 7 };
constexpr int kFloat = 7, kSum = 0;

struct UniqueId {
  char bytes[128];
};

struct Config {
  size_t size;
  unsigned magic, version;
  int blocking;
};

struct Comm {
  int rank = 0, size = 1;
  std::string folder;
  std::vector<size_t> sent, received;  // messages by rank
  std::atomic<int> state{kSuccess};
  std::atomic<bool> stop{false};
  std::thread worker;
  std::ofstream log;
  std::map<std::string, int> calls;
};

struct Message {
  int peer;
  std::string data;       // of a send
  float* into = nullptr;  // of a receipt
  size_t count = 0;
};

// What a call or a group does: messages to send, to receive, and then to sum.
struct Work {
  Comm* comm = nullptr;
  EmulatedStream* stream = nullptr;
  std::vector<Message> sends, receipts;
  float* sum = nullptr;
  bool fails = false, hangs = false;
};

int depth = 0;
Work group;
std::string last_error;

int refuse(const std::string& why, int result = kInvalidUsage) {
  last_error = why;
  return result;
}

std::string file_of(const Comm& comm, int from, int to, size_t number) {
  return comm.folder + "/" + std::to_string(from) + "-" + std::to_string(to) + "-" + std::to_string(number);
}

void write_whole(const std::string& file, const std::string& data) {
  std::ofstream(file + ".part", std::ios::binary) << data;
  std::rename((file + ".part").c_str(), file.c_str());
}

bool read_whole(Comm& comm, const std::string& file, std::string& data) {
  while (access(file.c_str(), F_OK) != 0) {
    if (comm.stop) return false;
    usleep(200);
  }
  std::ifstream in(file, std::ios::binary);
  data.assign(std::istreambuf_iterator<char>(in), {});
  unlink(file.c_str());
  return true;
}

std::string bytes_on(EmulatedStream* stream, const void* from, size_t count) {
  std::string data(count * sizeof(float), '\0');
  stream->submit([&] { std::memcpy(&data[0], from, data.size()); });
  return data;
}

void receive(Work& work) {
  Comm& comm = *work.comm;
  std::vector<float> sum;
  for (Message& message : work.receipts) {
    std::string data;
    const auto peer = static_cast<size_t>(message.peer);
    if (!read_whole(comm, file_of(comm, message.peer, comm.rank, comm.received[peer]++), data)) return;
    if (data.size() != message.count * sizeof(float)) {
      last_error = "a message has another length than its receipt";
      comm.state = kInvalidArgument;
      return;
    }
    if (!work.sum) work.stream->submit([&] { std::memcpy(message.into, data.data(), data.size()); });
    sum.resize(message.count);
    for (size_t i = 0; work.sum && i < message.count; ++i) sum[i] += reinterpret_cast<const float*>(data.data())[i];
  }
  if (work.sum) work.stream->submit([&] { std::memcpy(work.sum, sum.data(), sum.size() * sizeof(float)); });
  comm.state = work.fails ? kRemoteError : kSuccess;
}

int start(Work work) {
  Comm& comm = *work.comm;
  if (comm.worker.joinable()) comm.worker.join();
  comm.state = kInProgress;
  for (const Message& message : work.sends) {
    const auto peer = static_cast<size_t>(message.peer);
    if (!work.hangs) write_whole(file_of(comm, comm.rank, message.peer, comm.sent[peer]++), message.data);
  }
  comm.worker = std::thread([work = std::move(work)]() mutable {
    while (work.hangs && !work.comm->stop) usleep(1000);
    if (!work.hangs) receive(work);
  });
  return kInProgress;
}

// Whether the n-th call of this name has the fault.
bool has_fault(Comm& comm, const std::string& name, const char* kind) {
  const char* text = std::getenv("NCCL_STANDIN_FAULT");
  const std::string wanted =
      std::to_string(comm.rank) + ":" + name + ":" + std::to_string(comm.calls[name]) + ":" + kind;
  return text && wanted == text;
}

// Logs a call, and gives what it adds to the group, or a work of its own. Throws nothing; null if NCCL would refuse it.
Work* begin(Comm* comm, void* stream, const char* name, size_t count, int type, int peer, Work& own) {
  comm->log << name << " count=" << count << " type=" << type << " peer=" << peer << " stream=" << stream << std::endl;
  ++comm->calls[name];
  Work& work = depth > 0 ? group : own;
  if (comm->state != kSuccess || type != kFloat || peer >= comm->size || (work.comm && work.comm != comm))
    return nullptr;
  work.comm = comm, work.stream = static_cast<EmulatedStream*>(stream);
  work.fails |= has_fault(*comm, name, "error");
  work.hangs |= has_fault(*comm, name, "hang");
  return &work;
}

int finish(Work* work) {
  if (!work) return refuse("the call is not allowed now, or its arguments are wrong");
  return depth > 0 ? kSuccess : start(std::move(*work));
}

}  // namespace

STANDIN int ncclGetVersion(int* version) {
  const char* given = std::getenv("NCCL_STANDIN_VERSION");
  *version = given ? std::atoi(given) : 22105;
  return kSuccess;
}

STANDIN const char* ncclGetErrorString(int result) {
  return result == kRemoteError ? "remote process exited or there was a network error" : "invalid usage";
}

STANDIN const char* ncclGetLastError(void*) { return last_error.c_str(); }

STANDIN int ncclGetUniqueId(UniqueId* id) {
  std::string folder = std::string(std::getenv("NCCL_STANDIN")) + "/messages-XXXXXX";
  if (!mkdtemp(&folder[0]) || folder.size() >= sizeof id->bytes) return refuse("no folder for messages");
  std::strcpy(id->bytes, folder.c_str());
  return kSuccess;
}

STANDIN int ncclCommInitRankConfig(void** out, int size, UniqueId id, int rank, Config* config) {
  if (config->size != sizeof(Config) || config->magic != 0xcafebeef || config->version != 21400 ||
      config->blocking != 0)
    return refuse("the configuration is not one of a communicator that does not block", kInvalidArgument);
  auto* comm = new Comm;
  comm->rank = rank, comm->size = size, comm->folder = id.bytes;
  comm->sent.resize(static_cast<size_t>(size)), comm->received.resize(static_cast<size_t>(size));
  comm->log.open(std::string(std::getenv("NCCL_STANDIN")) + "/rank" + std::to_string(rank) + ".log", std::ios::app);
  comm->log << "CommInit rank=" << rank << " size=" << size << std::endl;
  comm->calls["CommInit"] = 1;
  Work work;
  work.comm = comm;
  work.hangs = has_fault(*comm, "CommInit", "hang");
  static EmulatedStream none{[](std::function<void()>) {}};
  work.stream = &none;
  for (int r = 0; r < size; ++r)
    work.sends.push_back({r, "", nullptr, 0}), work.receipts.push_back({r, "", nullptr, 0});
  *out = comm;
  return start(std::move(work));
}

STANDIN int ncclCommGetAsyncError(void* comm, int* result) {
  *result = static_cast<Comm*>(comm)->state;
  return kSuccess;
}

STANDIN int ncclCommFinalize(void* comm) {
  static_cast<Comm*>(comm)->log << "CommFinalize" << std::endl;
  return kSuccess;
}

STANDIN int ncclCommDestroy(void* handle) {
  auto* comm = static_cast<Comm*>(handle);
  comm->log << "CommDestroy" << std::endl;
  if (comm->worker.joinable()) comm->worker.join();
  delete comm;
  return kSuccess;
}

STANDIN int ncclCommAbort(void* handle) {
  auto* comm = static_cast<Comm*>(handle);
  comm->log << "CommAbort" << std::endl;
  comm->stop = true;
  if (comm->worker.joinable()) comm->worker.join();
  delete comm;
  return kSuccess;
}

STANDIN int ncclGroupStart() {
  ++depth;
  return kSuccess;
}

STANDIN int ncclGroupEnd() {
  if (--depth > 0) return kSuccess;
  if (!group.comm) return kSuccess;
  group.comm->log << "GroupEnd sends=" << group.sends.size() << " receipts=" << group.receipts.size() << std::endl;
  Work work = std::move(group);
  group = {};
  return start(std::move(work));
}

STANDIN int ncclSend(const void* from, size_t count, int type, int peer, void* comm, void* stream) {
  Work own;
  Work* work = begin(static_cast<Comm*>(comm), stream, "Send", count, type, peer, own);
  if (work) work->sends.push_back({peer, bytes_on(work->stream, from, count), nullptr, count});
  return finish(work);
}

STANDIN int ncclRecv(void* into, size_t count, int type, int peer, void* comm, void* stream) {
  Work own;
  Work* work = begin(static_cast<Comm*>(comm), stream, "Recv", count, type, peer, own);
  if (work) work->receipts.push_back({peer, "", static_cast<float*>(into), count});
  return finish(work);
}

namespace {

int collective(const char* name, const void* from, float* into, size_t count, int type, Comm* comm, void* stream,
               bool sums) {
  Work own;
  Work* work = begin(comm, stream, name, count, type, -1, own);
  if (!work) return finish(work);
  const std::string data = bytes_on(work->stream, from, count);
  for (int r = 0; r < comm->size; ++r) {
    work->sends.push_back({r, data, nullptr, count});
    work->receipts.push_back({r, "", into + (sums ? 0 : static_cast<size_t>(r) * count), count});
  }
  if (sums) work->sum = into;
  return finish(work);
}

}  // namespace

STANDIN int ncclAllGather(const void* from, void* into, size_t count, int type, void* comm, void* stream) {
  return collective("AllGather", from, static_cast<float*>(into), count, type, static_cast<Comm*>(comm), stream, false);
}

STANDIN int ncclAllReduce(const void* from, void* into, size_t count, int type, int op, void* comm, void* stream) {
  if (op != kSum) return refuse("another operation than a sum", kInvalidArgument);
  return collective("AllReduce", from, static_cast<float*>(into), count, type, static_cast<Comm*>(comm), stream, true);
}
