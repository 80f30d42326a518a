#include "bindings/args.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <sstream>

#include "runtime/cuda.h"
#include "runtime/error.h"

namespace morphmlp {

namespace {

constexpr double kMaxInteger = 9007199254740992.0;

std::string joined(const int64_t* sizes, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += (out.empty() ? "" : " x ") + std::to_string(sizes[i]);
  return out;
}

std::string describe(const Buffer& b) {
  return std::to_string(b.length) + " x " + dtype_name(b.dtype) + " on " + device_name(b.device);
}

}  // namespace

std::string describe(const Argument& argument) {
  switch (argument.kind) {
    case Argument::Kind::number: {
      std::ostringstream text;
      text << std::setprecision(17) << argument.number;
      return "the number " + text.str();
    }
    case Argument::Kind::flag:
      return "a boolean";
    case Argument::Kind::null:
      return "null";
    case Argument::Kind::buffer:
      return argument.buffer ? "a buffer" : "a freed buffer";
    case Argument::Kind::list:
      return "an array of " + std::to_string(argument.count);
    case Argument::Kind::other:
      break;
  }
  return argument.words;
}

void refuse_overlaps(const std::vector<Given>& operands) {
  const auto start = [](const Given* o) { return reinterpret_cast<uintptr_t>(o->buffer->data); };
  const auto end = [&](const Given* o) { return o ? start(o) + o->buffer->bytes() : 0; };
  std::vector<const Given*> sorted;
  for (const Given& o : operands)
    if (o.buffer && o.buffer->length > 0 && !o.unread) sorted.push_back(&o);
  std::sort(sorted.begin(), sorted.end(), [&](const auto* a, const auto* b) { return start(a) < start(b); });
  // Among the ranges that start before this one: the end of the last, and the end of the last that is written.
  const Given *last = nullptr, *last_written = nullptr;
  for (const Given* o : sorted) {
    const Given* before = o->written ? last : last_written;
    if (end(before) > start(o))
      fail(std::string("argument ") + (o->written ? o : before)->name + ", which is written, overlaps argument " +
           (o->written ? before : o)->name);
    if (end(o) > end(last)) last = o;
    if (o->written && end(o) > end(last_written)) last_written = o;
  }
}

void Args::reject(const std::string& what) const { fail(what); }

void Args::bad(const char* name, const std::string& expected, const std::string& got) const {
  reject(std::string("argument ") + name + ": expected " + expected + ", got " + got);
}

void Args::unread(const char* name) {
  for (Given& given : held_) given.unread = given.unread || std::strcmp(given.name, name) == 0;
}

void Args::keeps(const char* name) {
  for (Given& given : held_) given.kept = given.kept || std::strcmp(given.name, name) == 0;
}

void Args::finish() {
  if (position_ != source_.count())
    reject("expected " + std::to_string(position_) + " arguments, got " + std::to_string(source_.count()));
  refuse_overlaps(held_);
  for (const Given& operand : held_) {
    if (!operand.written || operand.kept) continue;
    expect_idle(*operand.buffer, std::string("argument ") + operand.name, true);
    ++operand.buffer->version;
    for (auto& derived : operand.buffer->derived) derived.reset();  // a stale pack that no later call asks for
  }
}

Argument Args::next(const char* name) {
  if (position_ >= source_.count()) bad(name, "a value", "nothing: too few arguments");
  return source_.at(position_++, name);
}

int64_t Args::integer(const char* name) {
  const Argument given = next(name);
  const bool whole = given.kind == Argument::Kind::number && std::fabs(given.number) <= kMaxInteger &&
                     given.number == std::floor(given.number);
  if (!whole) bad(name, "an integer", describe(given));
  return static_cast<int64_t>(given.number);
}

int64_t Args::size(const char* name) {
  const int64_t value = integer(name);
  if (value < 0) bad(name, "a size of 0 or more", std::to_string(value));
  return value;
}

float Args::real(const char* name) {
  const Argument given = next(name);
  if (given.kind != Argument::Kind::number || std::isnan(given.number)) bad(name, "a number", describe(given));
  return static_cast<float>(given.number);
}

bool Args::flag(const char* name) {
  const Argument given = next(name);
  if (given.kind != Argument::Kind::flag) bad(name, "true or false", describe(given));
  return given.number != 0;
}

Buffer* Args::buffer(const char* name, int64_t length, DType dtype, bool optional) {
  const Argument given = next(name);
  return optional && given.kind == Argument::Kind::null ? nullptr : check(name, given, length, dtype);
}

Buffer* Args::check(const char* name, const Argument& given, int64_t length, DType dtype) {
  Buffer* b = given.buffer.get();
  const std::string wanted = std::to_string(length) + " x " + dtype_name(dtype);
  if (!b) bad(name, wanted, describe(given));
  if (b->length != length || b->dtype != dtype) bad(name, wanted, describe(*b));
  if (device_ && *device_ != b->device) bad(name, std::string("a buffer on ") + device_name(*device_), describe(*b));
  device_ = b->device;
  expect_idle(*b, std::string("argument ") + name, false);
  held_.push_back({given.buffer, name, false, false});
  return b;
}

Buffer* Args::written(Buffer* b) {
  if (!b) return nullptr;
  held_.back().written = true;
  writes_ = writes_ || b->length > 0;
  return b;
}

std::vector<int64_t> Args::lengths(const char* name) {
  const Argument given = next(name);
  if (given.kind != Argument::Kind::list) bad(name, "an array of buffers", describe(given));
  --position_;
  std::vector<int64_t> out;
  for (size_t i = 0; i < given.count; ++i) {
    const Argument item = source_.item(position_, i);
    if (!item.buffer) bad(name, "live buffers", describe(item));
    out.push_back(item.buffer->length);
  }
  return out;
}

std::vector<Buffer*> Args::list(const char* name, const std::vector<int64_t>& lengths) {
  const Argument given = next(name);
  const bool fits = given.kind == Argument::Kind::list && given.count == lengths.size();
  if (!fits) bad(name, "an array of " + std::to_string(lengths.size()) + " buffers", describe(given));
  std::vector<Buffer*> out;
  for (size_t i = 0; i < lengths.size(); ++i)
    out.push_back(check(name, source_.item(position_ - 1, i), lengths[i], DType::f32));
  return out;
}

std::vector<const float*> Args::in_list(const char* name, const std::vector<int64_t>& lengths) {
  std::vector<const float*> out;
  for (Buffer* b : list(name, lengths)) out.push_back(static_cast<const float*>(b->data));
  return out;
}

std::vector<float*> Args::out_list(const char* name, const std::vector<int64_t>& lengths) {
  const size_t first = held_.size();
  std::vector<float*> out;
  for (Buffer* b : list(name, lengths)) out.push_back(static_cast<float*>(b->data));
  for (size_t i = first; i < held_.size(); ++i) {
    held_[i].written = true;
    writes_ = writes_ || held_[i].buffer->length > 0;
  }
  return out;
}

Buffer* Args::in_buffer(const char* name, int64_t length) { return buffer(name, length, DType::f32, false); }

void check_index(const Args& args, const int32_t* given, int64_t n, int64_t rows) {
  std::vector<int32_t> copy;
  const int32_t* index = given;
  if (args.device() == Device::cuda && n > 0) {
    copy.resize(static_cast<size_t>(n));
    cuda::download(copy.data(), given, copy.size() * sizeof(int32_t));
    index = copy.data();
  }
  for (int64_t i = 0; i < n; ++i)
    if (index[i] < 0 || index[i] >= rows)
      args.reject("index " + std::to_string(index[i]) + " at position " + std::to_string(i) + " is outside 0 to " +
                  std::to_string(rows - 1));
}

int64_t count(const int64_t* sizes, size_t n) {
  double product = 1;
  bool empty = false;
  for (size_t i = 0; i < n; ++i) {
    product *= static_cast<double>(std::max<int64_t>(1, sizes[i]));
    empty = empty || sizes[i] == 0;
  }
  if (product > kMaxInteger) fail("sizes: expected at most 2^53 elements, got " + joined(sizes, n));
  return empty ? 0 : static_cast<int64_t>(product);
}

}  // namespace morphmlp
