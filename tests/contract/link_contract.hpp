/* SPDX-License-Identifier: MPL-2.0 */
//
// The contract of every store wire as an application meets it: genuine sockets and the C API, nothing else. A driver
// takes part with one line,
//
//   VTX_LINK_CONTRACT(Memory, memory_links());
//
// and links the object library vtx_link_contract.
#pragma once

#include <memory>
#include <ostream>
#include <tuple>

#include "contract/link_world.hpp"

namespace vtx::test {

/// One fresh database, made for one test and removed after it.
class LinkPlace {
 public:
  virtual ~LinkPlace() = default;
  /// What stands before the `?` of its endpoints.
  virtual std::string address() const = 0;
  /// Options that each of them has.
  virtual std::string options() const { return {}; }
  /// Makes a backup of it as it is now; what it returns restores that, whoever is at work.
  virtual std::function<void()> back_up() = 0;
};

struct LinkUnderTest {
  std::string name;
  const char* scheme;
  vtx_driver_fn driver;
  std::function<std::unique_ptr<LinkPlace>()> make;
  /// Nobody but the test's links is at work. Otherwise somebody else may hear first that the store went back in time.
  bool is_alone = true;
};

inline void PrintTo(const LinkUnderTest& link, std::ostream* out) { *out << link.name; }

/// A fresh database of a driver, with queue "q" in it, and a program that uses it.
class LinkScene {
 public:
  explicit LinkScene(LinkUnderTest under_test)
      : under_test_(std::move(under_test)), place_(under_test_.make()), world_(open()) {}

  bool is_alone() const { return under_test_.is_alone; }
  std::unique_ptr<World> open(int max_sockets = 0) const {
    return std::make_unique<World>(under_test_.scheme, under_test_.driver, max_sockets);
  }
  World& world() { return *world_; }
  /// Ends context and instance and makes new ones, as a program that starts again. Sockets must be gone.
  void restart() {
    world_.reset();
    world_ = open();
  }
  /// An endpoint of queue "q" with further options.
  std::string at(const std::string& options = {}) const {
    return at_queue("q") + (options.empty() ? "" : "&" + options);
  }
  std::string at_queue(const std::string& queue) const {
    const std::string options = place_->options();
    return place_->address() + "?queue=" + queue + (options.empty() ? "" : "&" + options);
  }
  /// Sends each text as a message and waits until all are durable.
  void put(const Frames& texts) {
    Socket push(world(), ZMQ_PUSH);
    push.connect(at());
    push.send_each(texts);
    push.flush();
  }
  /// Likewise to a log.
  void publish(const Frames& texts, const std::string& options = {}) {
    Socket pub(world(), ZMQ_PUB);
    pub.connect(at(options));
    pub.send_each(texts);
    pub.flush();
  }
  /// What a subscriber with these options gets first.
  Frames read(const std::string& options, int count, const Frames& prefixes = {""}) {
    Subscriber sub(world(), prefixes);
    sub.connect(at(options));
    return sub.receive(count);
  }
  QueueView::Group group(const std::string& name = "default") { return show(world(), at()).groups[name]; }
  /// Everything was settled by the group, and recorded.
  bool drained(const std::string& name = "default") {
    return wait_until([&] { return group(name).depth == 0; });
  }

 private:
  const LinkUnderTest under_test_;

 protected:
  std::unique_ptr<LinkPlace> place_;
  std::unique_ptr<World> world_;
};

class LinkContract : public testing::TestWithParam<LinkUnderTest>, protected LinkScene {
 protected:
  LinkContract() : LinkScene(GetParam()) {}

  // --- ways to let go, and what follows
  /// A consumer with one message in its pipe, unread.
  std::unique_ptr<Socket> with_unread();
  /// A consumer that has received one message, which is held.
  std::unique_ptr<Socket> with_held(Message& held);
  /// A second consumer gets exactly these, `counted` of them as delivered before, and nothing is left.
  void expect_given_back(const Frames& texts, std::uint64_t counted);
};

struct ReleaseRow;
struct ReleaseReceiver;

/// A row of the release table (link_release.cpp) for one kind of receiver.
struct ReleaseCase {
  const ReleaseRow* row;
  const ReleaseReceiver* receiver;
};
std::vector<ReleaseCase> release_table();
void PrintTo(const ReleaseCase& one, std::ostream* out);

class ReleaseTable : public testing::TestWithParam<std::tuple<LinkUnderTest, ReleaseCase>> {
 public:
  static std::string case_name(const testing::TestParamInfo<ParamType>& info);
};

}  // namespace vtx::test

/// Runs the whole contract on a LinkUnderTest. Once a test program.
#define VTX_LINK_CONTRACT(name, under_test)                                                                         \
  INSTANTIATE_TEST_SUITE_P(name, LinkContract, ::testing::Values(under_test));                                      \
  INSTANTIATE_TEST_SUITE_P(name, ReleaseTable,                                                                      \
                           ::testing::Combine(::testing::Values(under_test), ::testing::ValuesIn(release_table())), \
                           ReleaseTable::case_name)
