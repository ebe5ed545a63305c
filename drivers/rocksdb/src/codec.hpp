/* SPDX-License-Identifier: MPL-2.0 */
//
// How keys and rows become bytes. Keys are big-endian, so that RocksDB's order is ours; a text may only stand last in one. Rows are a sequence of
// fields: numbers as varints (7 bits a byte, the least first), texts with their length ahead. A row names its fields once, in
// `static void fields(auto& row, auto& with)`, for writing and reading alike.
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "vtx/driver/operations.hpp"

namespace vtx::rocks {

using driver::Id;
using driver::Ms;
using driver::Seq;
using driver::StoreTime;
using driver::u32;
using driver::u64;
using Producer = std::array<std::byte, 16>;

// --- keys

inline void put_key(std::string& out, u64 number) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}
inline void put_key(std::string& out, StoreTime time) {
  put_key(out, static_cast<u64>(time.time_since_epoch().count()));
}
inline void put_key(std::string& out, const std::string& text) { out += text; }
inline void put_key(std::string& out, const Producer& id) {
  out.append(reinterpret_cast<const char*>(id.data()), id.size());
}

inline bool take_key(std::string_view& in, u64& number) {
  if (in.size() < 8) return false;
  number = 0;
  for (int i = 0; i < 8; ++i) number = number << 8 | static_cast<unsigned char>(in[static_cast<std::size_t>(i)]);
  in.remove_prefix(8);
  return true;
}
inline bool take_key(std::string_view& in, StoreTime& time) {
  u64 number = 0;
  if (!take_key(in, number)) return false;
  time = StoreTime(Ms(static_cast<Ms::rep>(number)));
  return true;
}
inline bool take_key(std::string_view& in, std::string& text) {
  text = in;
  in = {};
  return true;
}
inline bool take_key(std::string_view& in, Producer& id) {
  if (in.size() < id.size()) return false;
  std::memcpy(id.data(), in.data(), id.size());
  in.remove_prefix(id.size());
  return true;
}

template <class... Parts>
std::string key_of(const Parts&... parts) {
  std::string key;
  (put_key(key, parts), ...);
  return key;
}
template <class... Parts>
void put_key(std::string& out, const std::tuple<Parts...>& key) {
  std::apply([&out](const auto&... parts) { (put_key(out, parts), ...); }, key);
}
template <class... Parts>
bool take_key(std::string_view& in, std::tuple<Parts...>& key) {
  return std::apply([&in](auto&... parts) { return (take_key(in, parts) && ...); }, key);
}

// --- bytes and text

inline std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// --- fields

inline void put_number(std::string& out, u64 number) {
  for (; number >= 0x80; number >>= 7) out += static_cast<char>(0x80 | (number & 0x7f));
  out += static_cast<char>(number);
}
/// @return false, and nothing is defined, when the bytes end before the number does
inline bool take_number(std::string_view& in, u64& number) {
  number = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    number |= u64{byte & 0x7fU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

class FieldWriter {
 public:
  template <class... Fields>
  void operator()(const Fields&... fields) {
    (put(fields), ...);
  }
  std::string take() { return std::move(out_); }

 private:
  template <class Number>
  requires std::is_integral_v<Number>
  void put(Number number) { put_number(out_, static_cast<u64>(number)); }
  void put(Ms time) { put(time.count()); }
  void put(StoreTime time) { put(time.time_since_epoch().count()); }
  void put(const std::string& text) {
    put(text.size());
    out_ += text;
  }
  template <class First, class Second>
  void put(const std::pair<First, Second>& both) {
    (*this)(both.first, both.second);
  }
  template <class Value>
  void put(const std::optional<Value>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class Value>
  void put(const std::vector<Value>& values) {
    put(values.size());
    for (const Value& value : values) put(value);
  }
  void put(const std::map<std::string, u64>& values) {
    put(values.size());
    for (const auto& value : values) put(value);
  }
  std::string out_;
};

class FieldReader {
 public:
  explicit FieldReader(std::string_view in) : in_(in) {}
  template <class... Fields>
  void operator()(Fields&... fields) {
    (take(fields), ...);
  }
  /// All fields were there.
  bool ok() const { return ok_; }

 private:
  u64 number() {
    u64 found = 0;
    ok_ = ok_ && take_number(in_, found);
    return ok_ ? found : 0;
  }
  template <class Number>
  requires std::is_integral_v<Number>
  void take(Number& into) { into = static_cast<Number>(number()); }
  void take(Ms& time) { time = Ms(static_cast<Ms::rep>(number())); }
  void take(StoreTime& time) { time = StoreTime(Ms(static_cast<Ms::rep>(number()))); }
  void take(std::string& text) {
    const u64 size = number();
    ok_ = ok_ && size <= in_.size();
    if (!ok_) return;
    text = in_.substr(0, size);
    in_.remove_prefix(size);
  }
  template <class Value>
  void take(std::optional<Value>& value) {
    if (number() == 0) return value.reset();
    take(value.emplace());
  }
  template <class Value>
  void take(std::vector<Value>& values) {
    for (u64 left = number(); left > 0 && ok_; --left) take(values.emplace_back());
  }
  template <class First, class Second>
  void take(std::pair<First, Second>& both) {
    (*this)(both.first, both.second);
  }
  void take(std::map<std::string, u64>& values) {
    for (u64 left = number(); left > 0 && ok_; --left) {
      std::string name;
      take(name);
      take(values[name]);
    }
  }
  std::string_view in_;
  bool ok_ = true;
};

template <class Row>
std::string encode(const Row& row) {
  FieldWriter writer;
  Row::fields(row, writer);
  return writer.take();
}
template <class Row>
bool decode(std::string_view bytes, Row& row) {
  FieldReader reader(bytes);
  Row::fields(row, reader);
  return reader.ok();
}

}  // namespace vtx::rocks
