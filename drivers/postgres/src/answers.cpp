/* SPDX-License-Identifier: MPL-2.0 */
#include "answers.hpp"

#include <algorithm>
#include <charconv>

#include "texts.hpp"
#include "vtx/driver/names.hpp"
#include "vtx/driver/roles.hpp"

namespace vtx::postgres {
namespace {

using namespace driver;

std::span<const std::byte> next_bytes(Array& from) {
  const auto value = from.next();
  return value ? value->bytes : std::span<const std::byte>();
}
std::int64_t next_integer(Array& from) {
  const auto value = from.next();
  return value ? value->integer() : 0;
}
std::string next_text(Array& from) {
  const auto value = from.next();
  return value ? std::string(value->text()) : std::string();
}

/// Six arrays, from this column on: sequences, times, expiries, frames, properties, bodies. Copied once, into one buffer.
void read_messages(const Result& result, int column, Completion& out) {
  const auto seqs = result.integers(0, column);
  const auto stored = result.integers(0, column + 1);
  const auto expires = result.integers(0, column + 2);
  const auto frames = result.integers(0, column + 3);
  if (stored.size() != seqs.size() || expires.size() != seqs.size() || frames.size() != seqs.size()) return;
  out.buffer.size = 0;
  for (const int part : {column + 4, column + 5}) {
    auto texts = result.array(0, part);
    if (texts.size() != seqs.size()) return;
    while (const auto text = texts.next()) out.buffer.size += text->bytes.size();
  }
  out.buffer.bytes.reset(new std::byte[out.buffer.size]);
  std::byte* at = out.buffer.bytes.get();
  const auto copy = [&](std::span<const std::byte> from) {
    at = std::copy(from.begin(), from.end(), at);
    return std::span<const std::byte>(at - from.size(), from.size());
  };
  auto properties = result.array(0, column + 4);
  auto bodies = result.array(0, column + 5);
  out.messages.resize(seqs.size());
  for (std::size_t i = 0; i < seqs.size(); ++i) {
    Message& message = out.messages[i];
    message.seq = static_cast<Seq>(seqs[i]);
    message.stored = StoreTime(Ms(stored[i]));
    message.expires = StoreTime(Ms(expires[i]));
    message.frames = static_cast<u32>(frames[i]);
    message.body = copy(next_bytes(bodies));
    const auto lines = copy(next_bytes(properties));
    message.properties = {reinterpret_cast<const char*>(lines.data()), lines.size()};
  }
}

std::optional<Ms> read_due(const Result& result, int column) {
  if (result.is_null(0, column)) return std::nullopt;
  return Ms(result.integer(0, column));
}

QueueStats read_queue(const Result& result, int row) {
  QueueStats stats;
  stats.name = result.text(row, 1);
  stats.declared = {std::string(result.text(row, 2)), std::string(result.text(row, 3))};
  stats.messages = result.number(row, 4);
  stats.bytes = result.number(row, 5);
  stats.head = result.number(row, 6);
  stats.tail = result.number(row, 7);
  stats.delayed = result.number(row, 8);
  stats.dead = result.number(row, 9);
  auto words = result.array(row, 10);
  auto counts = result.array(row, 11);
  for (std::size_t i = 0; i < words.size(); ++i)
    stats.counters.emplace_back(next_text(words), static_cast<u64>(next_integer(counts)));
  auto kinds = result.array(row, 12);
  auto peers = result.array(row, 13);
  auto names = result.array(row, 14);
  auto filters = result.array(row, 19);
  const auto numbers = [&](int column) { return result.integers(row, column); };
  const auto depths = numbers(15), claims = numbers(16), retries = numbers(17), trims = numbers(18);
  const auto seqs = numbers(20), oldests = numbers(21);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const auto at = [i](const std::vector<std::int64_t>& from) {
      return static_cast<u64>(i < from.size() ? from[i] : 0);
    };
    GroupStats& group = stats.groups.emplace_back();
    std::string kind = next_text(kinds);
    std::string peer = read_name(next_text(peers));
    group.name = to_text({std::move(kind), std::move(peer), read_name(next_text(names))});
    const auto filter = next_bytes(filters);
    group.filter.assign(reinterpret_cast<const char*>(filter.data()), filter.size());
    group.depth = at(depths);
    group.claimed = at(claims);
    group.retrying = at(retries);
    group.trimmed = at(trims);
    group.position = at(seqs);
    group.oldest = StoreTime(Ms(static_cast<std::int64_t>(at(oldests))));
  }
  return stats;
}

/// An overload an operation; column 0 is the mark.
struct Reader {
  const Result& result;
  Completion& out;

  void operator()(const Commit&) const {
    out.head = result.number(0, 1);
    out.count = result.number(0, 2);
    for (const auto index : result.integers(0, 3)) out.fenced.push_back(static_cast<u32>(index));
  }
  void operator()(const OpenQueue&) const {
    out.id = result.number(0, 1);
    out.declared = {std::string(result.text(0, 2)), std::string(result.text(0, 3))};
  }
  void operator()(const OpenStream&) const {
    out.id = result.number(0, 1);
    out.head = result.number(0, 2);
    if (!result.is_null(0, 3)) out.fork = result.number(0, 3);
  }
  void operator()(const OpenGroup&) const {
    out.id = result.number(0, 1);
    out.max_deliveries = static_cast<u32>(result.number(0, 2));
    out.filter = result.text(0, 3);
  }
  void operator()(const ListPeers&) const {
    auto peers = result.array(0, 2);
    for (const auto id : result.integers(0, 1)) out.peers.push_back({static_cast<Id>(id), read_name(next_text(peers))});
    out.more = result.boolean(0, 3);
    if (out.peers.empty()) out.head = result.number(0, 4);
  }
  void operator()(const ClaimNext& next) const {
    out.more = result.boolean(0, 9);
    out.retry_waiting = result.boolean(0, 10);
    out.retry_later = result.boolean(0, 11);
    out.due_in = read_due(result, 12);
    if (result.is_null(0, 1)) return;
    out.head = result.number(0, 8);
    out.claim = Claim{result.number(0, 1),
                      next.group,
                      result.number(0, 2),
                      result.number(0, 3),
                      result.number(0, 4),
                      static_cast<u32>(result.number(0, 5)),
                      std::string(result.text(0, 6)),
                      static_cast<int>(result.integer(0, 7))};
    read_messages(result, 13, out);
  }
  void operator()(const Locate&) const {
    out.first = result.number(0, 1);
    out.head = result.number(0, 2);
    out.tail = result.number(0, 3);
  }
  void operator()(const Read&) const {
    out.head = result.number(0, 1);
    out.tail = result.number(0, 2);
    out.more = result.boolean(0, 3);
    read_messages(result, 5, out);
    if (out.messages.empty()) out.due_in = read_due(result, 4);
  }
  void operator()(const Beat&) const {
    out.id = result.number(0, 1);
    const auto beats = result.integers(0, 3), leases = result.integers(0, 4), dead = result.integers(0, 5);
    const auto others = result.integers(0, 2);
    for (std::size_t i = 0; i < others.size() && i < beats.size() && i < leases.size() && i < dead.size(); ++i)
      out.holders.push_back({static_cast<Id>(others[i]), static_cast<u64>(beats[i]), Ms(leases[i]), dead[i] != 0});
  }
  void operator()(const TakeOver&) const { out.count = result.number(0, 1); }
  void operator()(const Tend&) const {
    out.count = result.number(0, 1);
    out.more = result.boolean(0, 2);
    out.declared = {std::string(result.text(0, 3)), std::string(result.text(0, 4))};
  }
  void operator()(const Steer& steer) const {
    out.count = result.number(0, 1);
    if (steer.verb == Verb::trim) out.more = result.boolean(0, 2);
    if (steer.verb != Verb::seek) return;
    out.first = result.number(0, 2);
    out.head = result.number(0, 3);
  }
  void operator()(const Inspect&) const {
    for (int row = 0; row < result.rows(); ++row)
      if (!result.is_null(row, 1)) out.queues.push_back(read_queue(result, row));
  }
  void operator()(const Check&) const {
    for (int row = 0; row < result.rows(); ++row) {
      const auto level = std::clamp<std::int64_t>(result.integer(row, 1), 0, 2);
      out.findings.push_back({static_cast<Finding::Level>(level), std::string(result.text(row, 2)),
                              std::string(result.text(row, 3)), std::string(result.text(row, 4))});
    }
  }
  void operator()(const Hold&) const {}
  void operator()(const Forget&) const {}
  void operator()(const StopWaiting&) const {}
};

}  // namespace

void read_answer(const Operation& operation, const Result& result, Completion& out) {
  std::visit(Reader{result, out}, operation);
}

Id read_refusal(const Operation& operation, const Result& result, Completion& out) {
  const std::string detail(result.detail());
  if (const auto* open = std::get_if<OpenQueue>(&operation);
      open && out.status.code() == Code::mismatch && result.message() == "roles")
    if (auto status = check_role(*open, detail); !status.ok()) out.status = std::move(status);
  if (out.status.code() != Code::full) return 0;
  u64 parts[3] = {0, 0, 0};
  const char* at = detail.data();
  const char* const end = at + detail.size();
  for (u64& part : parts) {
    at = std::from_chars(at, end, part).ptr;
    if (at != end) ++at;
  }
  out.room = {static_cast<u32>(std::min<u64>(parts[1], kMaxBatch)), parts[2]};
  return parts[0];
}

}  // namespace vtx::postgres
