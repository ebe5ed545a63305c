/* SPDX-License-Identifier: MPL-2.0 */
//
// A database that went back in time: a backup was restored, under programs at work or while none was. Each transaction of VTX moves a mark in the
// database; this process remembers the highest it saw, and the side file, which no backup restores, that of all. A lower one tells. Who opens the
// database then begins a new epoch, and every session that notices ends, before it takes anything for what it was.
#include "ledger.hpp"
#include "store.hpp"

namespace vtx::sqlite {
namespace {

constexpr int kEpochBits = 40;  // numbers of claims and holders begin with their epoch

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

}  // namespace

SqliteStore::Life SqliteStore::read_life() {
  auto rows = database_.query("SELECT id, epoch, life, mark FROM vtx_store");
  if (!rows.next()) return {};
  const std::string id = hex(rows.blob(0));
  return {id, id + "/" + std::to_string(rows.integer(1)) + "." + hex(rows.blob(2)), rows.number(1), rows.number(3)};
}

/// Of a session that lives: ok while the database is the one that it was, and not at an earlier time.
Status SqliteStore::check_epoch() {
  epoch_seen_ = database_.data_version();
  const Life now = read_life();
  if (now.name != life_.name || now.mark < life_.mark)
    return {Code::lost,
            path_ + " went back in time or is another one now, as by a restored backup; VTX opens it again"};
  life_.mark = now.mark;
  return {};
}

/// Opening, with the lock and in a transaction: whether the database went back, by what this process or the side file remembers. Then it is in a new
/// epoch.
bool SqliteStore::begin_epoch_if_it_went_back() {
  const Life now = read_life();
  const auto others = side_->remembered();
  u64 mark = life_.id == now.id ? life_.mark : 0;
  u64 epoch = life_.id == now.id ? std::max(life_.epoch, now.epoch) : now.epoch;
  if (others.store == SideFile::name_of(now.id)) {
    mark = std::max(mark, others.mark);
    epoch = std::max(epoch, others.epoch);
  }
  const bool went_back = now.mark < mark;
  if (went_back) {
    ledger_.begin(clock_.wall());
    ledger_.begin_epoch(epoch + 1, mark + 1);
  }
  return went_back;
}

/// After COMMIT, with the lock: what others are to know of the database when it is not what it was.
void SqliteStore::remember_life() { side_->remember({SideFile::name_of(life_.id), life_.epoch, life_.mark}); }

void Ledger::begin_epoch(u64 epoch, u64 mark) {
  database_.run("UPDATE vtx_store SET epoch = ?, mark = ?, life = randomblob(8)", epoch, mark);
  std::vector<Id> holders;
  {
    auto rows = database_.query("SELECT holder FROM vtx_claim UNION SELECT id FROM vtx_holder");
    while (rows.next()) holders.push_back(rows.number(0));
  }
  // Slots of the side file may be another's by now.
  database_.run("UPDATE vtx_holder SET slot = -1");
  for (const Id holder : holders) {
    (void)take_over(holder);
    end_holder(holder);
  }
  const u64 first = epoch << kEpochBits;
  for (const char* statement :
       {"INSERT INTO vtx_claim (id, grp, stream, priority, holder, first, last, delivery, counted) VALUES (?, 0, 0, 0, "
        "0, 0, "
        "0, 0, 0)",
        "DELETE FROM vtx_claim WHERE id = ?", "INSERT INTO vtx_holder (id, slot, lease_ms) VALUES (?, -1, 0)",
        "DELETE FROM vtx_holder WHERE id = ?"})
    database_.run(statement, first);
  database_.run(
      "UPDATE vtx_stream SET fork = max(next - 1, ifnull((SELECT max(m.id) & 8796093022207 FROM vtx_message m WHERE "
      "m.id >= vtx_stream.id << 43 AND m.id < (vtx_stream.id + 1) << 43), 0))");
}

}  // namespace vtx::sqlite
