/* SPDX-License-Identifier: MPL-2.0 */
//
// A transaction elsewhere stays open and has read the messages, so vacuum cleans up nothing: what VTX keeps stays small all the same.
#include <gtest/gtest.h>

#include <thread>

#include "support/postgres_database.hpp"
#include "traffic.hpp"

namespace vtx::test {
namespace {

constexpr long kChildBytes = 1'000'000;

class Horizon : public testing::Test {
 protected:
  long number(const std::string& text) const { return std::stol(*database_.sql(text)[0][0]); }
  /// The books with their indexes, the old ones as well that somebody still reads.
  long book_bytes() const {
    return number(
        "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c, unnest(vtx.books()) b "
        "WHERE c.relnamespace = 'vtx'::regnamespace AND c.relkind = 'r' AND c.relname ~ ('^' || b || '_[0-9]+$')");
  }
  long children() const {
    return number(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'vtx'::regnamespace AND relkind = 'r' AND relname ~ "
        "'^message_[0-9]+_[0-9]+$'");
  }
  long dead_rows() const {
    return number(
        "SELECT coalesce(sum(n_dead_tup), 0)::bigint FROM pg_stat_user_tables WHERE schemaname = 'vtx' AND relname ~ "
        "'^message_'");
  }

  const PostgresDatabase database_;
};

TEST_F(Horizon, HeldElsewhereLeavesTablesSmall) {
  database_.sql_as_superuser("ALTER ROLE vtx IN DATABASE " + database_.name() +
                             " SET vtx.child_bytes = " + std::to_string(kChildBytes));
  Traffic traffic(database_.address() + "?queue=jobs", 200);
  ASSERT_TRUE(traffic.consumer.receives(200));
  SqlSession other("host=" + SharedPostgres::get().socket_directory +
                   " port=" + std::to_string(SharedPostgres::get().port) + " user=vtx dbname=" + database_.name());
  other.exec("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM vtx.message");
  const auto time = traffic_time(Ms{5000});
  const int parts = 5;
  std::vector<std::uint64_t> received;
  long most_bytes = 0, most_children = 0;
  for (int part = 0; part < parts; ++part) {
    const auto before = traffic.consumer.distinct();
    const auto until = std::chrono::steady_clock::now() + time / parts;
    while (std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(Ms{100});
      most_bytes = std::max(most_bytes, book_bytes());
      most_children = std::max(most_children, children());
    }
    received.push_back(traffic.consumer.distinct() - before);
  }
  const auto all = traffic.producer.sent();
  EXPECT_TRUE(traffic.finish(Again::never));
  std::cout << all << " messages; parts:";
  for (const auto part : received) std::cout << " " << part;
  std::cout << "; last against first " << static_cast<double>(received.back()) / static_cast<double>(received.front())
            << "; books up to " << most_bytes / 1024 << " KiB, up to " << most_children << " tables of messages, "
            << dead_rows() << " dead rows in them\n";
  EXPECT_LE(most_bytes, 64L << 20);
  // One that the other transaction has read, the one that is written to, and those that are about to go.
  EXPECT_LE(most_children, 8);
  other.exec("COMMIT");
}

}  // namespace
}  // namespace vtx::test
