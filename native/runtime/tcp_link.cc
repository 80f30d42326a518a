// Link over TCP: every rank has one connection, to rank 0, which passes messages on. It carries what ranks tell each
// other about a step, not gradients.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <functional>
#include <thread>
#include <utility>

#include "runtime/error.h"
#include "runtime/link.h"

namespace morphmlp {
namespace {

using Clock = std::chrono::steady_clock;

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0;  // Node ignores SIGPIPE
#endif

// First message of both sides of a connection.
struct Hello {
  uint64_t magic = 0x6d6f7270686d6c70ULL;
  int32_t rank = 0, size = 0;
};
constexpr double kHelloSeconds = 5;

enum class Kind : uint32_t { arrival, data, abort, bye };

struct Header {
  Kind kind;
  int32_t status;  // of abort
  uint64_t bytes;  // that follow
};

struct Peer {
  int fd = -1;
  std::string in, out;  // bytes that are not read as messages yet, and not sent yet
  size_t begun = 0;     // jobs that the rank has begun
  std::deque<std::string> messages;
};

double seconds_left(Clock::time_point end) { return std::chrono::duration<double>(end - Clock::now()).count(); }

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

bool ready(int fd, short events, Clock::time_point end) {
  pollfd one{fd, events, 0};
  const double left = seconds_left(end);
  return poll(&one, 1, left > 0 ? static_cast<int>(left * 1000) + 1 : 0) > 0;
}

void configure(int fd) {
  const int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

bool send_hello(int fd, int rank, int size) {
  Hello hello;
  hello.rank = rank, hello.size = size;
  return send(fd, &hello, sizeof hello, kSendFlags) == sizeof hello;
}

// Reads a hello; false if none comes in time.
bool read_hello(int fd, Hello& hello, Clock::time_point end) {
  const Hello expected;
  size_t have = 0;
  while (have < sizeof hello && ready(fd, POLLIN, end)) {
    const ssize_t got = recv(fd, reinterpret_cast<char*>(&hello) + have, sizeof hello - have, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
    if (got > 0) have += static_cast<size_t>(got);
  }
  return have == sizeof hello && hello.magic == expected.magic;
}

struct Closing {
  int fd;
  ~Closing() {
    if (fd >= 0) close(fd);
  }
  int release() { return std::exchange(fd, -1); }
};

std::string text_of(const Rendezvous& at) { return at.host + ":" + std::to_string(at.port); }

std::string rounded(double seconds) { return std::to_string(static_cast<int64_t>(seconds)) + " s"; }

class TcpLink : public Link {
 public:
  TcpLink(const Rendezvous& at, double timeout) {
    rank = at.rank, size = at.size;
    name = "TCP to " + text_of(at);
    peers_.resize(rank == 0 ? static_cast<size_t>(size) : 1);
    rank == 0 ? accept_all(at, timeout) : connect_to_main(at, timeout);
  }

  void arrive() override {
    ++begun_;
    if (rank != 0) send_to(peers_[0], Kind::arrival, nullptr, 0);
  }

  bool arrived() override {
    pump();
    return rank == 0 ? missing().empty() : peers_[0].out.empty();
  }

  std::vector<int> missing() const override {
    std::vector<int> ranks;
    for (size_t r = 1; r < peers_.size(); ++r)
      if (peers_[r].begun < begun_) ranks.push_back(static_cast<int>(r));
    return ranks;
  }

  void gather(const void* from, void* into, size_t bytes) override {
    if (rank != 0) {
      send_to(peers_[0], Kind::data, from, bytes);
      step_ = [=] { return take(peers_[0], into, bytes * static_cast<size_t>(size)); };
      return;
    }
    std::memcpy(into, from, bytes);
    step_ = [=] {
      for (size_t r = 1; r < peers_.size(); ++r)
        if (peers_[r].messages.empty()) return false;
      for (size_t r = 1; r < peers_.size(); ++r) take(peers_[r], static_cast<char*>(into) + r * bytes, bytes);
      for (size_t r = 1; r < peers_.size(); ++r) send_to(peers_[r], Kind::data, into, bytes * peers_.size());
      return true;
    };
  }

  void broadcast(void* data, size_t bytes, int root) override {
    const auto origin = static_cast<size_t>(root);
    const auto pass_on = [=] {
      for (size_t r = 1; r < peers_.size(); ++r)
        if (r != origin) send_to(peers_[r], Kind::data, data, bytes);
    };
    step_ = [] { return true; };
    if (rank == root && rank == 0)
      pass_on();
    else if (rank == root)
      send_to(peers_[0], Kind::data, data, bytes);
    else if (rank != 0)
      step_ = [=] { return take(peers_[0], data, bytes); };
    else
      step_ = [=] {
        if (!take(peers_[origin], data, bytes)) return false;
        pass_on();
        return true;
      };
  }

  void all_to_all(const float*, float*, int64_t) override { refuse(); }
  void all_reduce(const float*, float*, int64_t) override { refuse(); }

  bool done() override {
    pump();
    if (step_ && !step_()) return false;
    step_ = nullptr;
    flush();
    return flushed();
  }

  void idle() override { pump(); }

  void close() override {
    for (Peer& peer : peers_) send_to(peer, Kind::bye, nullptr, 0);
    drain();
    for (Peer& peer : peers_) hang_up(peer);
  }

  void abort(int status) override {
    for (Peer& peer : peers_) send_to(peer, Kind::abort, nullptr, 0, status);
    drain();
    _exit(status);
  }

 private:
  [[noreturn]] static void refuse() { fail("sums on the CPU need MPI: start with mpirun or srun"); }

  void accept_all(const Rendezvous& at, double timeout) {
    const Closing listener{listen_at(at)};
    const auto end = after(timeout);
    for (int missing = size - 1; missing > 0;) {
      if (!ready(listener.fd, POLLIN, end))
        fail("rank 0 waited " + rounded(timeout) + " at " + text_of(at) + " in vain for " + absent());
      Closing accepted{accept(listener.fd, nullptr, nullptr)};
      if (accepted.fd < 0) continue;
      configure(accepted.fd);
      Hello hello;
      if (!read_hello(accepted.fd, hello, after(kHelloSeconds))) continue;  // not one of ours
      if (hello.size != size || hello.rank < 1 || hello.rank >= size)
        fail("a process says that it is rank " + std::to_string(hello.rank) + " of " + std::to_string(hello.size) +
             ", rank 0 is one of " + std::to_string(size));
      Peer& peer = peers_[static_cast<size_t>(hello.rank)];
      if (peer.fd >= 0) fail("two processes say that they are rank " + std::to_string(hello.rank));
      if (!send_hello(accepted.fd, 0, size)) continue;
      peer.fd = accepted.release();
      --missing;
    }
  }

  static int listen_at(const Rendezvous& at) {
    Closing one{socket(AF_INET6, SOCK_STREAM, 0)};
    const bool v6 = one.fd >= 0;
    if (!v6) one.fd = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1, no = 0;
    setsockopt(one.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (v6) setsockopt(one.fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6, six.sin6_port = htons(static_cast<uint16_t>(at.port));
    sockaddr_in four{};
    four.sin_family = AF_INET, four.sin_port = six.sin6_port;
    const auto* address = v6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four);
    if (bind(one.fd, address, v6 ? sizeof six : sizeof four) != 0 || listen(one.fd, 128) != 0)
      fail("rank 0 cannot listen at port " + std::to_string(at.port) + ": " + std::strerror(errno) +
           "; give the launcher another MASTER_PORT");
    configure(one.fd);
    return one.release();
  }

  std::string absent() const {
    std::string list;
    for (size_t r = 1; r < peers_.size(); ++r)
      if (peers_[r].fd < 0) list += (list.empty() ? "rank " : ", rank ") + std::to_string(r);
    return list;
  }

  void connect_to_main(const Rendezvous& at, double timeout) {
    const auto end = after(timeout);
    std::string reason;
    while (seconds_left(end) > 0) {
      Closing one{connect_once(at, end, reason)};
      if (one.fd >= 0) {
        Hello hello;
        if (!send_hello(one.fd, rank, size) || !read_hello(one.fd, hello, end))
          fail("what answers at " + text_of(at) + " is not rank 0 of this job, or has ended");
        peers_[0].fd = one.release();
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    fail("rank " + std::to_string(rank) + " tried for " + rounded(timeout) + " in vain to reach rank 0 at " +
         text_of(at) + ": " + reason);
  }

  // A connection, or -1 and the reason.
  static int connect_once(const Rendezvous& at, Clock::time_point end, std::string& reason) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int error = getaddrinfo(at.host.c_str(), std::to_string(at.port).c_str(), &hints, &found);
    if (error != 0) reason = gai_strerror(error);
    int connected = -1;
    for (const addrinfo* a = found; a && connected < 0; a = a->ai_next) {
      Closing one{socket(a->ai_family, a->ai_socktype, a->ai_protocol)};
      if (one.fd < 0) continue;
      configure(one.fd);
      int problem = connect(one.fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
      if (problem == EINPROGRESS) {
        socklen_t length = sizeof problem;
        problem = ETIMEDOUT;
        if (ready(one.fd, POLLOUT, end)) getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &problem, &length);
      }
      if (problem == 0)
        connected = one.release();
      else
        reason = std::strerror(problem);
    }
    if (found) freeaddrinfo(found);
    return connected;
  }

  static void send_to(Peer& peer, Kind kind, const void* data, size_t bytes, int status = 0) {
    if (peer.fd < 0) return;
    const Header header{kind, status, bytes};
    peer.out.append(reinterpret_cast<const char*>(&header), sizeof header);
    peer.out.append(static_cast<const char*>(data), bytes);
  }

  // Takes the next message of a rank, which all ranks expect to be this long; false if it has not come.
  static bool take(Peer& peer, void* into, size_t bytes) {
    if (peer.messages.empty()) return false;
    const std::string& message = peer.messages.front();
    if (message.size() != bytes)
      fail("expected " + std::to_string(bytes) + " bytes, got " + std::to_string(message.size()) +
           ": the ranks do not run the same program");
    std::memcpy(into, message.data(), bytes);
    peer.messages.pop_front();
    return true;
  }

  bool flushed() const {
    for (const Peer& peer : peers_)
      if (!peer.out.empty()) return false;
    return true;
  }

  // Sends what is left, for at most a second.
  void drain() {
    const auto end = after(1);
    try {
      for (flush(); !flushed() && seconds_left(end) > 0; flush())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } catch (const std::exception&) {
      // that rank is gone already
    }
  }

  static void hang_up(Peer& peer) {
    if (peer.fd >= 0) ::close(std::exchange(peer.fd, -1));
    peer.out.clear();
  }

  void flush() {
    for (size_t r = 0; r < peers_.size(); ++r) {
      Peer& peer = peers_[r];
      while (!peer.out.empty() && peer.fd >= 0) {
        const ssize_t sent = send(peer.fd, peer.out.data(), peer.out.size(), kSendFlags);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (sent < 0) lost(r);
        peer.out.erase(0, static_cast<size_t>(sent));
      }
    }
  }

  void pump() {
    flush();
    for (size_t r = 0; r < peers_.size(); ++r)
      if (peers_[r].fd >= 0) receive(r);
  }

  void receive(size_t r) {
    Peer& peer = peers_[r];
    char buffer[1 << 16];
    for (;;) {
      const ssize_t got = recv(peer.fd, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got > 0) peer.in.append(buffer, static_cast<size_t>(got));
      if (got > 0) continue;
      const bool ended = got == 0 || errno != EAGAIN;
      read_messages(peer);
      if (ended && peer.fd >= 0) lost(r);
      return;
    }
  }

  void read_messages(Peer& peer) {
    size_t at = 0;
    Header header;
    while (peer.in.size() - at >= sizeof header) {
      std::memcpy(&header, peer.in.data() + at, sizeof header);
      if (peer.in.size() - at - sizeof header < header.bytes) break;
      at += sizeof header;
      if (header.kind == Kind::abort) abort(header.status);
      if (header.kind == Kind::bye) hang_up(peer);
      if (header.kind == Kind::arrival) ++peer.begun;
      if (header.kind == Kind::data) peer.messages.push_back(peer.in.substr(at, header.bytes));
      at += header.bytes;
    }
    peer.in.erase(0, at);
  }

  [[noreturn]] void lost(size_t r) {
    hang_up(peers_[r]);
    fail("rank " + std::to_string(r) + " has ended: its connection is closed");
  }

  std::vector<Peer> peers_;  // of rank 0 by rank, of others rank 0 alone
  size_t begun_ = 0;         // jobs that this rank has begun
  std::function<bool()> step_;
};

}  // namespace

std::unique_ptr<Link> connect_tcp(const Rendezvous& at, double timeout) {
  return std::make_unique<TcpLink>(at, timeout);
}

}  // namespace morphmlp
