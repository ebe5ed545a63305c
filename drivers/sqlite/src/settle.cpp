/* SPDX-License-Identifier: MPL-2.0 */
//
// Settlements, and the ways back into a group's retry: nacks, messages given back, holders that died.
#include <algorithm>
#include <map>

#include "ledger.hpp"

namespace vtx::sqlite {
namespace {

using driver::Odd;
using driver::Verdict;

bool goes_back(const Odd* odd) { return odd && (odd->verdict == Verdict::nacked || odd->verdict == Verdict::unseen); }

bool same_ending(const Odd& a, const Odd& b) {
  return a.verdict == b.verdict && a.delay == b.delay && a.reason == b.reason;
}

bool is_set(const std::vector<u64>& words, u32 offset) {
  return offset / 64 < words.size() && (words[offset / 64] >> (offset % 64) & 1) != 0;
}

}  // namespace

Ledger::OpenClaim Ledger::read_claim(const Rows& rows) {
  OpenClaim claim{rows.number(0),
                  rows.number(1),
                  rows.number(2),
                  rows.number(3),
                  rows.number(4),
                  static_cast<u32>(rows.integer(5)),
                  rows.integer(7) != 0,
                  static_cast<int>(rows.integer(8)),
                  {}};
  const auto done = rows.blob(6);
  claim.done.resize((claim.size() + 7) / 8);
  std::transform(done.begin(), done.begin() + static_cast<std::ptrdiff_t>(std::min(done.size(), claim.done.size())),
                 claim.done.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return claim;
}

bool Ledger::settle(const driver::Settle& settle) {
  OpenClaim claim;
  {
    auto rows = database_.query(
        "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE id = ? AND grp = "
        "?",
        settle.claim, settle.group);
    if (!rows.next()) return false;
    claim = read_claim(rows);
  }
  touch(claim.stream, Touch::settled);
  if (act_on_new(claim, settle))
    database_.run("DELETE FROM vtx_claim WHERE id = ?", claim.id);
  else
    database_.run("UPDATE vtx_claim SET done = ? WHERE id = ?", claim.done, claim.id);
  return true;
}

/// Marks the new bits and gives each message its ending. Answers whether all of the claim is settled now.
bool Ledger::act_on_new(OpenClaim& claim, const driver::Settle& settle) {
  std::vector<Odd> odd = settle.odd;
  std::stable_sort(odd.begin(), odd.end(), [](const Odd& a, const Odd& b) { return a.offset < b.offset; });
  auto next_odd = odd.cbegin();
  bool all = true;
  const bool dead = stream_info(claim.stream) && stream_info(claim.stream)->dead;
  std::map<const char*, u64> tally;
  const Odd* run = nullptr;  // neighbours that go back alike become one retry
  Range range{0, 0};
  const auto end_run = [&] {
    if (run)
      retry(claim, range, run->verdict == Verdict::unseen ? claim.delivery - 1 : claim.delivery, run->delay,
            run->reason);
    run = nullptr;
  };
  for (u32 offset = 0; offset < claim.size(); ++offset) {
    while (next_odd != odd.cend() && next_odd->offset < offset) ++next_odd;
    if (claim.has(offset)) continue;
    if (!is_set(settle.done, offset)) {
      all = false;
      continue;
    }
    claim.set(offset);
    const Seq seq = claim.first + offset;
    const Odd* ending = next_odd != odd.cend() && next_odd->offset == offset ? &*next_odd : nullptr;
    // A dead-letter queue has no dead-letter queue: its messages come again.
    const bool back = goes_back(ending) || (ending && ending->verdict == Verdict::dead && dead &&
                                            stream_info(claim.stream)->queue == queue_of_group(claim.group));
    if (!back) {
      const char* what = settle_one(claim, claim.first + offset, ending);
      if (what) ++tally[what];
      continue;
    }
    if (run && (seq != range.last + 1 || !same_ending(*run, *ending))) end_run();
    if (!run) range.first = seq;
    run = ending;
    range.last = seq;
  }
  end_run();
  for (const auto& [what, n] : tally) count(queue_of_group(claim.group), claim.group, what, n);
  return all;
}

/// Answers under which word it is to be counted; null for what was plainly acknowledged.
const char* Ledger::settle_one(const OpenClaim& claim, Seq seq, const Odd* odd) {
  const char* what = nullptr;
  if (odd) {
    what = odd->verdict == Verdict::expired ? "expired" : "filtered";
    if (odd->verdict == Verdict::dead) what = bury(claim, seq, odd->reason) ? "dead_lettered" : "trimmed";
  }
  if (const StreamInfo* stream = stream_info(claim.stream); stream && stream->dead) remove_one(claim.stream, seq);
  return what;
}

/// What comes again at once has no due time: it goes first, in the order of the stream however it came back, and a clock that is set
/// back cannot hold it up.
void Ledger::retry(const OpenClaim& claim, Range range, u32 delivered, Ms delay, const std::string& reason) {
  database_.run(
      "INSERT INTO vtx_retry (grp, stream, first, last, delivered, due, reason, priority) VALUES (?, ?, ?, ?, ?, ?, ?, "
      "?)",
      claim.group, claim.stream, range.first, range.last, delivered, delay <= Ms::zero() ? 0 : now_ + delay.count(),
      reason, claim.priority);
  if (delay <= Ms::zero()) retried_.insert(claim.group);
}

u64 Ledger::take_over(Id holder) {
  std::vector<OpenClaim> claims;
  {
    auto rows = database_.query(
        "SELECT id, grp, stream, first, last, delivery, done, counted, priority FROM vtx_claim WHERE holder = ? ORDER "
        "BY id",
        holder);
    while (rows.next()) claims.push_back(read_claim(rows));
  }
  for (const auto& claim : claims) {
    for (u32 begin = 0; begin < claim.size();) {
      u32 end = begin;
      while (end < claim.size() && !claim.has(end)) ++end;
      if (end > begin)
        retry(claim, {claim.first + begin, claim.first + end - 1}, claim.delivery - (claim.counted ? 0 : 1), Ms::zero(),
              "its consumer died or was cut off");
      begin = end + 1;
    }
    database_.run("DELETE FROM vtx_claim WHERE id = ?", claim.id);
  }
  return claims.size();
}

void Ledger::count(Id queue, Id group, const char* what, u64 n) {
  database_.run(
      "INSERT INTO vtx_tally (queue, grp, what, n) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (queue, grp, what) DO UPDATE "
      "SET n = n + ?4",
      queue, group, what, n);
}

Id Ledger::queue_of_group(Id group) {
  return static_cast<Id>(database_.value("SELECT queue FROM vtx_group WHERE id = ?", group).value_or(0));
}

}  // namespace vtx::sqlite
