/* SPDX-License-Identifier: MPL-2.0 */
//
// What the server answered to one statement, in Postgres' binary format. Apart from the connection because reading it must be safe on its
// own: nothing in here trusts a length or a type that came over the network.
#pragma once

#include <libpq-fe.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace vtx::postgres {

/// One value of a row or an array, borrowed from its Result. A null one reads as 0, false or empty, and so does one of an unfitting length.
struct Value {
  std::span<const std::byte> bytes;
  bool null = true;

  /// Of int8, int4, int2 or bool: which of them, its length tells.
  std::int64_t integer() const;
  std::uint64_t number() const { return static_cast<std::uint64_t>(integer()); }
  bool boolean() const { return integer() != 0; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
};

/// Goes once through an array of one dimension. Borrowed from its Result. Copies go on independently of each other.
class Array {
 public:
  Array() = default;  ///< without elements
  explicit Array(const Value& value);

  /// How many elements there are altogether; never more than the bytes can hold.
  std::size_t size() const { return size_; }
  /// The next element, which may be null; nullopt behind the last.
  std::optional<Value> next();
  /// The value was no array of one dimension, or ended too early: it is not what a server of ours sends. Final once next() has given nullopt.
  bool bad() const { return bad_; }

 private:
  std::span<const std::byte> rest_;
  std::size_t size_ = 0;
  std::size_t left_ = 0;
  bool bad_ = false;
};

/// One thread at a time. Rows and columns count from 0; what lies outside is null.
class Result {
 public:
  Result() = default;
  explicit Result(PGresult* owned) : result_(owned) {}

  /// libpq had nothing (more) to give.
  bool none() const { return result_ == nullptr; }
  ExecStatusType status() const { return PQresultStatus(result_.get()); }
  /// The statement succeeded, with or without rows.
  bool ok() const;
  int rows() const { return PQntuples(result_.get()); }
  int columns() const { return PQnfields(result_.get()); }

  Value value(int row, int column) const;
  bool is_null(int row, int column) const { return value(row, column).null; }
  std::int64_t integer(int row, int column) const { return value(row, column).integer(); }
  std::uint64_t number(int row, int column) const { return value(row, column).number(); }
  bool boolean(int row, int column) const { return value(row, column).boolean(); }
  std::string_view text(int row, int column) const { return value(row, column).text(); }
  std::span<const std::byte> bytes(int row, int column) const { return value(row, column).bytes; }
  Array array(int row, int column) const { return Array(value(row, column)); }
  /// An array of int8, int4, int2 or bool; null elements are 0.
  std::vector<std::int64_t> integers(int row, int column) const;

  /// Of an error; empty when the server did not say. Texts are the server's, in its language.
  std::string_view sqlstate() const { return field(PG_DIAG_SQLSTATE); }
  std::string_view source_function() const { return field(PG_DIAG_SOURCE_FUNCTION); }
  /// ERROR, FATAL, PANIC; of a notice WARNING, NOTICE, … In English always.
  std::string_view severity() const { return field(PG_DIAG_SEVERITY_NONLOCALIZED); }
  /// libpq's own words when the error did not come from the server.
  std::string_view message() const;
  std::string_view detail() const { return field(PG_DIAG_MESSAGE_DETAIL); }
  std::string_view hint() const { return field(PG_DIAG_MESSAGE_HINT); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::string_view field(int code) const;

  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace vtx::postgres
