/* SPDX-License-Identifier: MPL-2.0 */
#include <gtest/gtest.h>
#include <zmq.h>

#include <string>
#include <vector>

#include "pattern/dynamic.hpp"

namespace vtx {
namespace {

TEST(DynamicPattern, EveryRowOfTheTableIsOne) {
  for (const Pattern& row : patterns()) {
    const auto made = parse_pattern("socket=" + std::string(row.name));
    ASSERT_EQ(made.has_value(), row.counterpart >= 0) << row.name;
    if (!made) continue;
    EXPECT_EQ((*made)->row.type, row.type);
    EXPECT_EQ((*made)->row.counterpart, row.counterpart);
    EXPECT_EQ((*made)->row.default_retain, row.default_retain);
    EXPECT_EQ((*made)->row.peers, row.peers) << row.name;
  }
}

TEST(DynamicPattern, BehavesToOthersAsTheTypeThatDoesTheSame) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"socket=dealer&streams=main&in=none", "PUSH"},
      {"socket=dealer&streams=main&out=none", "PULL"},
      {"socket=dealer&streams=main&in=none&out=all", "PUB"},
      {"socket=push&out=all", "PUB"},
      {"socket=dealer&max_peers=1", "PAIR"},
      {"socket=dealer&streams=main", "DEALER"},
  };
  for (const auto& [spec, name] : rows) {
    const auto made = parse_pattern(spec);
    ASSERT_TRUE(made) << spec << ": " << made.error().text();
    EXPECT_EQ((*made)->row.name, name) << spec;
  }
  EXPECT_EQ((*parse_pattern("socket=push&out=all"))->row.default_retain, "7d");
  EXPECT_EQ((*parse_pattern("socket=push&out=all&retain=1000"))->row.default_retain, "1000");
}

TEST(DynamicPattern, RefusesWhatItsSocketCannotCarry) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"", "socket=dealer"},
      {"out=any", "say which socket"},
      {"socket=dealer&&in=none", "NAME=VALUE"},
      {"socket", "no value"},
      {"socket=dish", "'dish' is no socket type"},
      {"socket=stream", "'stream' is no socket type"},
      {"socket=dealer&sockets=1", "is 'socket' meant"},
      {"socket=dealer&out=any&out=all", "said twice"},
      {"socket=dealer&out=some", "none, any, all, one"},
      {"socket=dealer&max_peers=2", "use 0, 1"},
      {"socket=push&in=fair", "cannot receive"},
      {"socket=pull&out=any", "cannot send"},
      {"socket=pub&out=any", "out=all"},
      {"socket=dealer&in=filter", "only SUB and XSUB"},
      {"socket=sub&in=fair", "only SUB and XSUB"},
      {"socket=dealer&out=one", "only REP and ROUTER"},
      {"socket=dealer&envelope=request", "has the envelope 'none'"},
      {"socket=req&envelope=none", "has the envelope 'request'"},
      {"socket=req&streams=main", "a REQ socket has a side, and both sends and receives: leave out 'streams', 'out'"},
      {"socket=rep&in=none", "a REP socket has a side"},
      {"socket=router&streams=main&mailbox=none", "a ROUTER socket has a side"},
      {"socket=req&mailbox=none", "mailbox=each"},
      {"socket=rep&mailbox=each", "REP has none"},
      {"socket=req&max_peers=1", "without an envelope"},
      {"socket=pair&streams=main", "a PAIR socket has a side"},
      {"socket=pair&streams=main&max_peers=0", "a PAIR socket has a side"},
      {"socket=pair&out=none", "a PAIR socket has a side"},
      {"socket=pair&max_peers=0", "max_peers=1"},
      {"socket=dealer&streams=main&mailbox=each", "mailbox=none"},
      {"socket=dealer&streams=main&out=none&in=none", "does nothing"},
      {"socket=dealer&mailbox=none", "max_peers=1 for a pair"},
      {"socket=dealer&in=none", "streams=main"},
      {"socket=push&streams=sided", "streams=main"},
      {"socket=push&retain=soon", "'retain'"},
  };
  for (const auto& [spec, words] : rows) {
    const auto made = parse_pattern(spec);
    ASSERT_FALSE(made) << spec;
    EXPECT_EQ(made.error().code(), Code::invalid) << spec;
    EXPECT_NE(made.error().text().find(words), std::string::npos) << spec << ": " << made.error().text();
  }
}

}  // namespace
}  // namespace vtx
