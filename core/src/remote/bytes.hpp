/* SPDX-License-Identifier: MPL-2.0 */
//
// Values as bytes and back, for the connection between an owner and who is attached to it. Numbers are fixed in width and in the order of the
// machine, which both ends share; a text, a body or a list begins with its u32 length.
//
// A Reader believes nothing: it never reads outside of what it was given, a list grows only as its elements are there, and what it makes is
// never more than a small multiple of the bytes that came.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "remote/tags.hpp"
#include "vtx/driver/operations.hpp"

namespace vtx::remote {

using Bytes = std::vector<std::byte>;
using Slice = std::span<const std::byte>;

/// Appends to a vector. One thread at a time.
class Writer {
 public:
  explicit Writer(Bytes& out) : out_(out) {}

  /// False when something was too long to be said; what was written is then good for nothing.
  bool ok() const { return ok_; }

  template <class... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }

  template <class T>
  requires std::integral<T>
  void put(T number) { raw(&number, sizeof number); }
  void put(bool flag) { put(static_cast<std::uint8_t>(flag)); }
  template <Tagged T>
  void put(T value) {
    put(tag_of(value));
  }
  void put(driver::Ms time) { put(static_cast<std::int64_t>(time.count())); }
  void put(driver::StoreTime time) { put(time.time_since_epoch()); }
  void put(std::string_view text) { sized(text.data(), text.size()); }
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(Slice bytes) { sized(bytes.data(), bytes.size()); }
  template <std::size_t N>
  void put(const std::array<std::byte, N>& bytes) {
    raw(bytes.data(), N);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class A, class B>
  void put(const std::pair<A, B>& both) {
    put(both.first);
    put(both.second);
  }
  template <class T>
  void put(const std::vector<T>& list) {
    if (!length(list.size())) return;
    for (const T& one : list) put(one);
  }
  void put(const Status& status);
  void put(const driver::Buffer&) {}  // the messages bring along what of it they need
  template <class T>
  requires std::is_aggregate_v<T>
  void put(const T& value) { fields(*this, value); }

 private:
  bool length(std::size_t size) {
    ok_ = ok_ && size <= std::numeric_limits<driver::u32>::max();
    if (ok_) put(static_cast<driver::u32>(size));
    return ok_;
  }
  void sized(const void* data, std::size_t size) {
    if (length(size)) raw(data, size);
  }
  void raw(const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::byte*>(data);
    out_.insert(out_.end(), begin, begin + size);
  }

  Bytes& out_;
  bool ok_ = true;
};

/// Reads from a slice. What is read as Slice or string_view are slices of that. One thread at a time.
class Reader {
 public:
  explicit Reader(Slice in) : in_(in) {}

  /// False as soon as anything did not fit.
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && in_.empty(); }
  std::size_t left() const { return in_.size(); }

  template <class... T>
  bool operator()(T&... values) {
    return (get(values) && ...);
  }

  template <class T>
  requires std::integral<T>
  bool get(T& number) { return raw(&number, sizeof number); }
  bool get(bool& flag) {
    std::uint8_t byte = 0;
    if (!get(byte) || byte > 1) return fail();
    flag = byte == 1;
    return true;
  }
  template <Tagged T>
  bool get(T& value) {
    std::uint8_t tag = 0;
    return get(tag) && (from_tag(tag, value) || fail());
  }
  bool get(driver::Ms& time) {
    std::int64_t count = 0;
    if (!get(count)) return false;
    time = driver::Ms(count);
    return true;
  }
  bool get(driver::StoreTime& time) {
    driver::Ms since{};
    if (!get(since)) return false;
    time = driver::StoreTime(since);
    return true;
  }
  bool get(Slice& bytes) {
    driver::u32 size = 0;
    if (!get(size) || size > in_.size()) return fail();
    bytes = in_.first(size);
    in_ = in_.subspan(size);
    return true;
  }
  bool get(std::string_view& text) {
    Slice bytes;
    if (!get(bytes)) return false;
    text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    return true;
  }
  bool get(std::string& text) {
    std::string_view view;
    if (!get(view)) return false;
    text = view;
    return true;
  }
  template <std::size_t N>
  bool get(std::array<std::byte, N>& bytes) {
    return raw(bytes.data(), N);
  }
  template <class T>
  bool get(std::optional<T>& value) {
    bool there = false;
    if (!get(there)) return false;
    value.reset();
    return !there || get(value.emplace());
  }
  template <class A, class B>
  bool get(std::pair<A, B>& both) {
    return get(both.first) && get(both.second);
  }
  template <class T>
  bool get(std::vector<T>& list) {
    driver::u32 size = 0;
    // An element has a byte at least. Nothing is reserved: the length may be a lie.
    if (!get(size) || size > in_.size()) return fail();
    list.clear();
    while (size-- > 0)
      if (!get(list.emplace_back())) return false;
    return true;
  }
  bool get(Status& status);
  bool get(driver::Buffer&) { return true; }
  template <class T>
  requires std::is_aggregate_v<T>
  bool get(T& value) { return fields(*this, value); }

 private:
  bool fail() {
    ok_ = false;
    in_ = {};
    return false;
  }
  bool raw(void* to, std::size_t size) {
    if (!ok_ || size > in_.size()) return fail();
    std::memcpy(to, in_.data(), size);
    in_ = in_.subspan(size);
    return true;
  }

  Slice in_;
  bool ok_ = true;
};

}  // namespace vtx::remote
