/* SPDX-License-Identifier: MPL-2.0 */
#include "remote/wire.hpp"

#include <algorithm>
#include <variant>

#include "remote/fields.hpp"
#include "vtx/vtx.h"

namespace vtx::remote {

using driver::Completion;
using driver::Operation;

void Writer::put(const Status& status) { (*this)(status.code(), status.native(), status.text()); }

bool Reader::get(Status& status) {
  Code code{};
  int native = 0;
  std::string text;
  if (!(*this)(code, native, text)) return false;
  status = Status(code, std::move(text), native);
  return true;
}

namespace {

/// Appends what `content` writes as a frame of this kind.
template <class Content>
bool frame(Bytes& out, Kind kind, Content content) {
  const std::size_t begin = out.size();
  Writer writer(out);
  writer(u32{0}, static_cast<std::uint8_t>(kind));
  content(writer);
  const std::size_t length = out.size() - begin - sizeof(u32);
  if (!writer.ok() || length > kMaxFrame) {
    out.resize(begin);
    return false;
  }
  const auto written = static_cast<u32>(length);
  std::memcpy(out.data() + begin, &written, sizeof written);
  return true;
}

/// What a message of this operation has in bytes: so that too long a one is refused before it is copied.
std::size_t body_bytes(const Operation& operation) {
  const auto* commit = std::get_if<driver::Commit>(&operation);
  std::size_t bytes = 0;
  if (commit == nullptr) return bytes;
  for (const auto& append : commit->appends)
    for (const auto& message : append.messages) bytes += message.body.size() + message.properties.size();
  return bytes;
}

template <std::size_t... I>
bool read_operation(Reader& reader, Tag tag, Operation& operation, std::index_sequence<I...>) {
  return ((tag == kOperationTag<std::variant_alternative_t<I, Operation>> && reader.get(operation.emplace<I>())) ||
          ...);
}

template <std::size_t... I>
constexpr bool all_tagged(std::index_sequence<I...>) {
  const std::array tags{kOperationTag<std::variant_alternative_t<I, Operation>>...};
  for (std::size_t i = 0; i < tags.size(); ++i)
    for (std::size_t j = 0; j < tags.size(); ++j)
      if (tags[i] == kNoTag || (i != j && tags[i] == tags[j])) return false;
  return true;
}

using Alternatives = std::make_index_sequence<std::variant_size_v<Operation>>;
static_assert(all_tagged(Alternatives()), "an operation has no tag, or another's");

bool is_sane(const driver::Commit& commit) {
  return std::ranges::all_of(commit.appends, [&](const driver::Append& append) {
    return append.messages.size() <= driver::kMaxBatch && append.only_if >= -1 &&
           append.only_if < static_cast<std::int64_t>(commit.settles.size());
  });
}
template <class Other>
bool is_sane(const Other&) {
  return true;
}

/// Moves bodies and properties into one buffer of the completion's own.
void take_over(Completion& completion) {
  std::size_t size = 0;
  for (const auto& message : completion.messages) size += message.body.size() + message.properties.size();
  if (size == 0) {
    for (auto& message : completion.messages) message.body = {}, message.properties = {};
    return;
  }
  completion.buffer = {std::make_unique_for_overwrite<std::byte[]>(size), size};
  std::byte* to = completion.buffer.bytes.get();
  for (auto& message : completion.messages) {
    std::ranges::copy(message.body, to);
    message.body = {to, message.body.size()};
    to += message.body.size();
    std::memcpy(to, message.properties.data(), message.properties.size());
    message.properties = {reinterpret_cast<const char*>(to), message.properties.size()};
    to += message.properties.size();
  }
}

}  // namespace

std::string library_version() {
  return std::to_string(VTX_VERSION_MAJOR) + '.' + std::to_string(VTX_VERSION_MINOR) + '.' +
         std::to_string(VTX_VERSION_PATCH);
}

bool write(Bytes& out, const Hello& hello) {
  return frame(out, Kind::hello, [&](Writer& writer) {
    writer(hello.magic, hello.protocol, hello.version, hello.create, hello.database.device, hello.database.inode);
  });
}

bool write(Bytes& out, const Welcome& welcome) {
  return frame(out, Kind::welcome, [&](Writer& writer) { writer(welcome.protocol, welcome.version); });
}

bool write_refusal(Bytes& out, const Status& status) {
  return frame(out, Kind::refusal, [&](Writer& writer) { writer(status); });
}

bool write(Bytes& out, u64 ticket, const Operation& operation) {
  if (body_bytes(operation) > kMaxFrame) return false;
  return frame(out, Kind::request, [&](Writer& writer) {
    std::visit([&]<class Op>(const Op& what) { writer(ticket, kOperationTag<Op>, what); }, operation);
  });
}

bool write(Bytes& out, const Completion& completion) {
  return frame(out, Kind::answer, [&](Writer& writer) { writer(completion); });
}

bool write_goodbye(Bytes& out) {
  return frame(out, Kind::goodbye, [](Writer&) {});
}

bool read(Slice in, Hello& hello) {
  Reader reader(in);
  if (!reader(hello.magic, hello.protocol, hello.version) || hello.magic != kMagic) return false;
  if (hello.protocol != kProtocolVersion) return true;
  return reader(hello.create, hello.database.device, hello.database.inode) && reader.at_end();
}

bool read(Slice in, Welcome& welcome) {
  Reader reader(in);
  return reader(welcome.protocol, welcome.version) && (welcome.protocol != kProtocolVersion || reader.at_end());
}

bool read_refusal(Slice in, Status& status) {
  Reader reader(in);
  return reader.get(status) && reader.at_end();
}

bool read(Slice in, Request& request) {
  Reader reader(in);
  Tag tag = kNoTag;
  if (!reader(request.ticket, tag) || request.ticket == 0) return false;
  if (!read_operation(reader, tag, request.operation, Alternatives()) || !reader.at_end()) return false;
  return std::visit([](const auto& what) { return is_sane(what); }, request.operation);
}

bool read(Slice in, Completion& completion) {
  Reader reader(in);
  if (!reader.get(completion) || !reader.at_end()) return false;
  take_over(completion);
  return true;
}

}  // namespace vtx::remote
