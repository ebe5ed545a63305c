/* SPDX-License-Identifier: MPL-2.0 */
//
// Decoding of what int8send, array_send and their like wrote.
#include "result.hpp"

namespace vtx::postgres {
namespace {

/// Two's complement, most significant byte first; at most 8 bytes.
std::int64_t load(std::span<const std::byte> bytes) {
  const bool negative = !bytes.empty() && (std::to_integer<unsigned>(bytes[0]) & 0x80) != 0;
  std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
  for (const std::byte byte : bytes) bits = (bits << 8) | std::to_integer<std::uint64_t>(byte);
  return static_cast<std::int64_t>(bits);
}

/// An int4 at the beginning of `rest`, which it is taken from; nullopt when there are not so many bytes.
std::optional<std::int32_t> take_int4(std::span<const std::byte>& rest) {
  if (rest.size() < 4) return std::nullopt;
  const std::int64_t value = load(rest.first(4));
  rest = rest.subspan(4);
  return static_cast<std::int32_t>(value);
}

}  // namespace

std::int64_t Value::integer() const {
  switch (bytes.size()) {
    case 1: return bytes[0] != std::byte{0} ? 1 : 0;  // bool
    case 2:
    case 4:
    case 8: return load(bytes);
    default: return 0;
  }
}

Array::Array(const Value& value) {
  if (value.null) return;
  rest_ = value.bytes;
  const auto dimensions = take_int4(rest_);
  take_int4(rest_);  // whether there are nulls: the elements tell
  const auto element = take_int4(rest_);
  if (dimensions == 0 && element) {
    bad_ = !rest_.empty();
    return;
  }
  const auto size = take_int4(rest_);
  const auto lower_bound = take_int4(rest_);
  bad_ = dimensions != 1 || !lower_bound || *size < 0 || static_cast<std::size_t>(*size) > rest_.size() / 4;
  if (!bad_) size_ = left_ = static_cast<std::size_t>(*size);
}

std::optional<Value> Array::next() {
  if (left_ == 0) return std::nullopt;
  --left_;
  const auto length = take_int4(rest_);
  if (length == -1) return Value{};
  if (!length || *length < 0 || static_cast<std::size_t>(*length) > rest_.size()) {
    bad_ = true;
    left_ = 0;
    return std::nullopt;
  }
  const Value value{rest_.first(static_cast<std::size_t>(*length)), false};
  rest_ = rest_.subspan(value.bytes.size());
  return value;
}

bool Result::ok() const {
  const ExecStatusType is = status();
  return is == PGRES_TUPLES_OK || is == PGRES_COMMAND_OK || is == PGRES_EMPTY_QUERY;
}

Value Result::value(int row, int column) const {
  // libpq would complain through the notice receiver, of a connection that may be gone.
  if (row < 0 || row >= rows() || column < 0 || column >= columns()) return {};
  if (PQgetisnull(result_.get(), row, column) != 0) return {};
  const char* begin = PQgetvalue(result_.get(), row, column);
  const auto size = static_cast<std::size_t>(PQgetlength(result_.get(), row, column));
  return {std::as_bytes(std::span(begin, size)), false};
}

std::vector<std::int64_t> Result::integers(int row, int column) const {
  Array elements = array(row, column);
  std::vector<std::int64_t> out;
  out.reserve(elements.size());
  while (const auto element = elements.next()) out.push_back(element->integer());
  return out;
}

std::string_view Result::message() const {
  const std::string_view primary = field(PG_DIAG_MESSAGE_PRIMARY);
  return primary.empty() ? std::string_view(PQresultErrorMessage(result_.get())) : primary;
}

std::string_view Result::field(int code) const {
  const char* text = PQresultErrorField(result_.get(), code);
  return text ? std::string_view(text) : std::string_view();
}

}  // namespace vtx::postgres
