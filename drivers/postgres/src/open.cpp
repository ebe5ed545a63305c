/* SPDX-License-Identifier: MPL-2.0 */
//
// A session begins: both connections, the schema as this library knows it, the epoch that the store is in.
#include <charconv>

#include "migrations.hpp"
#include "store.hpp"

namespace vtx::postgres {
namespace {

std::array<int, 3> version_of(std::string_view text) {
  std::array<int, 3> version{};
  const char* at = text.data();
  const char* const end = at + text.size();
  for (auto& part : version) {
    at = std::from_chars(at, end, part).ptr;
    if (at != end) ++at;
  }
  return version;
}

template <std::size_t N>
void copy_to(std::array<std::byte, N>& to, std::span<const std::byte> from) {
  to = {};
  std::copy_n(from.begin(), std::min(N, from.size()), to.begin());
}

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

Status PostgresStore::start(const driver::Endpoint& endpoint, bool create) {
  stop();
  if (epoll_ < 0) return {Code::invalid, "no file descriptors left; raise the limit (ulimit -n)"};
  auto info = make_conninfo(endpoint);
  if (!info) return std::move(info).error();
  info_ = std::move(*info);
  create_ = create;
  migrated_ = false;
  went_back_ = false;
  state_ = State::opening;
  for (Lane* lane : {&work_, &side_}) {
    Status status = lane->connection.start(info_);
    if (!status.ok() && !is_passing(status.code())) {
      close();
      return status;
    }
    if (!status.ok()) {
      end_session(status);
      return {};
    }
    watch(*lane);
  }
  return {};
}

/// Once both connections are there.
void PostgresStore::go_on_opening() {
  if (!sent_.empty() || !work_.connection.live() || !side_.connection.live()) return;
  send_look();
}

/// Whether there is a store, and whose.
void PostgresStore::send_look() {
  const std::string name = "\"" + info_.schema + "\"";
  Request look;
  if (!migrated_) {
    // One statement for both: where there is no function, there is no answer of it either. The table itself is for the owner alone.
    look.statement =
        "SELECT to_regprocedure($1 || '.about()') IS NOT NULL, CASE WHEN to_regprocedure($1 || '.about()') IS NOT NULL "
        "THEN "
        "(xpath('//schema/text()', query_to_xml('SELECT schema FROM ' || $1 || '.about()', true, true, '')))[1]::text "
        "END, "
        "CASE WHEN to_regprocedure($1 || '.about()') IS NOT NULL THEN (xpath('//oldest_library/text()', "
        "query_to_xml('SELECT oldest_library FROM ' || $1 || '.about()', true, true, '')))[1]::text END";
    look.parameters.add(name);
    return send(work_, {Errand::look, 0, {}, false}, std::move(look));
  }
  const Life known = remembered(info_.place + "/" + info_.schema);
  look.statement = "SELECT * FROM " + name + ".begin_session($1,$2,$3,$4,$5)";
  look.parameters.add_uuid(known.id)
      .add(known.epoch)
      .add(known.synced)
      .add(known.mark)
      .add(std::string_view(known.server));
  send(work_, {Errand::begin, 0, {}, true}, std::move(look));
}

void PostgresStore::on_look(const Result& result) {
  const bool there = result.boolean(0, 0);
  int schema = 0;
  const auto text = result.text(0, 1);
  std::from_chars(text.data(), text.data() + text.size(), schema);
  if (there && version_of(VTX_VERSION_TEXT) < version_of(result.text(0, 2)))
    return end_session({Code::newer_schema, info_.place + " has schema " + std::to_string(schema) +
                                                ", which needs VTX " + std::string(result.text(0, 2)) +
                                                " or newer; this is VTX " VTX_VERSION_TEXT ": upgrade it"});
  if (!there && !create_)
    return end_session(
        {Code::not_found, info_.place + " has no VTX tables in schema " + info_.schema +
                              " yet; the first program that binds or connects makes them, or `vtx migrate`"});
  migrated_ = true;
  if (static_cast<std::size_t>(schema) >= migrations().size()) return send_look();
  Request migrate;
  migrate.statement = migration_statement(info_.schema);
  send(work_, {Errand::migrate, 0, {}, true}, std::move(migrate));
}

void PostgresStore::on_begin(const Result& result) {
  const std::string server(result.text(0, 4));
  settle_again_ = settle_again_ || life_.server != server;
  std::array<std::byte, 16> life{};
  copy_to(life, result.bytes(0, 3));
  if (life != life_.life) unsure_.clear();  // claims of that number are others' there
  life_ = {};
  life_.mark = result.integer(0, 0);
  copy_to(life_.id, result.bytes(0, 1));
  life_.epoch = result.integer(0, 2);
  copy_to(life_.life, result.bytes(0, 3));
  life_.server = result.text(0, 4);
  went_back_ = result.boolean(0, 5);
  if (went_back_) life_.synced = life_.mark;
  remember(info_.place + "/" + info_.schema, life_);
  settle_again();
  become_live();
}

void PostgresStore::become_live() {
  state_ = State::live;
  look_each_ = info_.pooler ? driver::Ms(10) : driver::Ms(1000);
  look_at_ = clock_.now() + look_each_;
  driver::Completion opened;
  opened.event = driver::Event::opened;
  opened.epoch = hex(life_.id) + "/" + std::to_string(life_.epoch) + "." + hex(life_.life);
  opened.went_back = went_back_;
  done_.push_back(std::move(opened));
  for (auto& [ticket, operation] : std::exchange(early_, {})) run(ticket, std::move(operation));
}

}  // namespace vtx::postgres
