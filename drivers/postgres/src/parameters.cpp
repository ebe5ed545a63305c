/* SPDX-License-Identifier: MPL-2.0 */
//
// The binary formats that PostgreSQL's receive functions expect (boolrecv, int8recv, array_recv, …). Apart from the connection because it
// knows nothing of sessions: bytes in, bytes out.
#include "parameters.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <type_traits>

namespace vtx::postgres {
namespace {

/// Dimensions, has nulls, type of the elements, count, lower bound: each an int4.
constexpr std::size_t kArrayHeader = 20;
constexpr std::int32_t kNullLength = -1;

Oid array_of(Oid element) {
  switch (element) {
    case kBool: return kBoolArray;
    case kBytea: return kByteaArray;
    case kInt4: return kInt4Array;
    case kInt8: return kInt8Array;
    case kText: return kTextArray;
    case kVarbit: return kVarbitArray;
    default: assert(false && "no array type is known for this type"); return 0;
  }
}

/// Most significant byte first.
template <class Integer>
void store(char* to, Integer value) {
  const auto bits = static_cast<std::make_unsigned_t<Integer>>(value);
  for (std::size_t i = 0; i < sizeof bits; ++i) to[i] = static_cast<char>((bits >> (8 * (sizeof bits - 1 - i))) & 0xff);
}

}  // namespace

void Parameters::put_raw(const void* bytes, std::size_t size) {
  if (too_large_ || size > kMaxBytes - buffer_.size()) {
    too_large_ = true;
    return;
  }
  if (size == 0) return;  // `bytes` may be a null pointer then
  const auto* from = static_cast<const char*>(bytes);
  buffer_.insert(buffer_.end(), from, from + size);
}

template <class Integer>
void Parameters::put(Integer value) {
  std::array<char, sizeof(Integer)> bytes{};
  store(bytes.data(), value);
  put_raw(bytes.data(), bytes.size());
}

void Parameters::begin(Oid type) {
  assert(array_.element == 0);  // an array was begun and not ended
  offsets_.push_back(buffer_.size());
  types_.push_back(type);
  formats_.push_back(1);
}

Parameters& Parameters::end() {
  lengths_.push_back(static_cast<int>(buffer_.size() - offsets_.back()));
  return *this;
}

Parameters& Parameters::add(bool value) {
  begin(kBool);
  put(static_cast<std::uint8_t>(value));
  return end();
}

Parameters& Parameters::add(std::int32_t value) {
  begin(kInt4);
  put(value);
  return end();
}

Parameters& Parameters::add(std::int64_t value) {
  begin(kInt8);
  put(value);
  return end();
}

Parameters& Parameters::add(std::string_view text) {
  begin(kText);
  put_raw(text.data(), text.size());
  return end();
}

Parameters& Parameters::add_bytes(std::span<const std::byte> bytes) {
  begin(kBytea);
  put_raw(bytes.data(), bytes.size());
  return end();
}

Parameters& Parameters::add_uuid(std::span<const std::byte, 16> bytes) {
  begin(kUuid);
  put_raw(bytes.data(), bytes.size());
  return end();
}

Parameters& Parameters::add_null(Oid type) {
  begin(type);
  offsets_.back() = kNull;
  lengths_.push_back(0);
  return *this;
}

Parameters& Parameters::begin_array(Oid element) {
  begin(array_of(element));
  array_ = OpenArray{buffer_.size(), element, 0, false};
  constexpr std::array<char, kArrayHeader> kLater{};
  put_raw(kLater.data(), kLater.size());
  return *this;
}

void Parameters::element(std::int32_t value) {
  assert(array_.element == kInt4);
  ++array_.count;
  put(std::int32_t{sizeof value});
  put(value);
}

void Parameters::element(std::int64_t value) {
  assert(array_.element == kInt8);
  ++array_.count;
  put(std::int32_t{sizeof value});
  put(value);
}

void Parameters::element(bool value) {
  assert(array_.element == kBool);
  ++array_.count;
  put(std::int32_t{1});
  put(static_cast<std::uint8_t>(value));
}

void Parameters::element(std::string_view text) {
  assert(array_.element == kText);
  ++array_.count;
  put(static_cast<std::int32_t>(std::min(text.size(), kMaxBytes)));
  put_raw(text.data(), text.size());
}

void Parameters::element_bytes(std::span<const std::byte> bytes) {
  assert(array_.element == kBytea || array_.element == kVarbit);
  ++array_.count;
  put(static_cast<std::int32_t>(std::min(bytes.size(), kMaxBytes)));
  put_raw(bytes.data(), bytes.size());
}

void Parameters::element_null() {
  assert(array_.element != 0);
  ++array_.count;
  array_.has_null = true;
  put(kNullLength);
}

Parameters& Parameters::end_array() {
  assert(array_.element != 0);
  const OpenArray done = array_;
  array_ = {};
  if (too_large_) return end();
  const bool empty = done.count == 0;
  char* header = buffer_.data() + done.begin;
  store(header, std::int32_t{empty ? 0 : 1});
  store(header + 4, std::int32_t{done.has_null});
  store(header + 8, static_cast<std::uint32_t>(done.element));
  store(header + 12, done.count);
  store(header + 16, std::int32_t{1});
  if (empty) buffer_.resize(done.begin + 12);  // without dimensions there is neither count nor bound
  return end();
}

const char* const* Parameters::values() {
  // An empty value needs an address too, for a null pointer is NULL.
  const char* const begin = buffer_.empty() ? "" : buffer_.data();
  values_.resize(offsets_.size());
  for (std::size_t i = 0; i < offsets_.size(); ++i) values_[i] = offsets_[i] == kNull ? nullptr : begin + offsets_[i];
  return values_.data();
}

}  // namespace vtx::postgres
