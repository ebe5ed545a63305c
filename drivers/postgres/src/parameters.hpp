/* SPDX-License-Identifier: MPL-2.0 */
//
// The parameters of one statement, all in Postgres' binary format, gathered into one buffer: integers, texts, bytes and arrays of these. The
// types travel along, so that a statement needs no casts.
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vtx::postgres {

/// Types of parameters and columns (src/include/catalog/pg_type.dat of PostgreSQL).
inline constexpr Oid kBool = 16, kBytea = 17, kInt8 = 20, kInt4 = 23, kText = 25, kVarbit = 1562, kUuid = 2950;
inline constexpr Oid kByteaArray = 1001, kInt4Array = 1007, kTextArray = 1009, kInt8Array = 1016, kBoolArray = 1000,
                     kVarbitArray = 1563;

/// One thread at a time. Copies what it is given.
class Parameters {
 public:
  Parameters& add(bool value);
  Parameters& add(std::int32_t value);
  Parameters& add(std::int64_t value);
  Parameters& add(std::uint64_t value) { return add(static_cast<std::int64_t>(value)); }
  Parameters& add(std::string_view text);
  Parameters& add(const char* text) { return add(std::string_view(text)); }
  Parameters& add_bytes(std::span<const std::byte> bytes);
  Parameters& add_uuid(std::span<const std::byte, 16> bytes);
  Parameters& add_null(Oid type);

  /// Arrays are written element by element: begin, add_… each, end.
  Parameters& begin_array(Oid element);
  void element(std::int32_t value);
  void element(std::int64_t value);
  void element(std::uint64_t value) { element(static_cast<std::int64_t>(value)); }
  void element(bool value);
  void element(std::string_view text);
  void element(const char* text) { element(std::string_view(text)); }
  /// Of bytea as they are; of varbit: the number of bits as an int4, most significant byte first, then the bits likewise.
  void element_bytes(std::span<const std::byte> bytes);
  void element_null();
  Parameters& end_array();

  int count() const { return static_cast<int>(types_.size()); }
  /// What PQsendQueryParams() wants; valid until the next call that adds something.
  const Oid* types() const { return types_.data(); }
  const char* const* values();
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }
  std::size_t bytes() const { return buffer_.size(); }

  /// Room for so many bytes more: for who knows that bodies are to come.
  void reserve(std::size_t bytes) { buffer_.reserve(buffer_.size() + bytes); }
  /// More than PostgreSQL takes in one statement, which would end the session: not to be sent. What came too late is not kept.
  bool too_large() const { return too_large_; }

  /// A message of the protocol has at most 1 GiB; this leaves room for the statement, lengths and formats.
  static constexpr std::size_t kMaxBytes = std::size_t{1000} * 1024 * 1024;

 private:
  static constexpr std::size_t kNull = SIZE_MAX;  ///< in place of an offset

  /// The array between begin_array() and end_array(); its header is written at the end.
  struct OpenArray {
    std::size_t begin = 0;
    Oid element = 0;
    std::int32_t count = 0;
    bool has_null = false;
  };

  template <class Integer>
  void put(Integer value);
  void put_raw(const void* bytes, std::size_t size);
  void begin(Oid type);
  Parameters& end();

  std::vector<char> buffer_;          ///< all values, one behind the other
  std::vector<std::size_t> offsets_;  ///< of each parameter in buffer_: the buffer moves while it grows
  std::vector<Oid> types_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::vector<const char*> values_;
  OpenArray array_;
  bool too_large_ = false;
};

}  // namespace vtx::postgres
