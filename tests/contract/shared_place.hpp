/* SPDX-License-Identifier: MPL-2.0 */
//
// A database that only one can have open, under the contract of stores, whoever has it.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "contract/store_contract.hpp"
#include "support/directory.hpp"
#include "support/threaded_store.hpp"

namespace vtx::test {

enum class Owner {
  another,    ///< a store of the place's own
  first,      ///< the first that the test opens
  successor,  ///< one of the place's own, which took over from one that had been at work
};

/// The owner's socket beside a database: another one with each that becomes the owner. Kept open, so that the next one is not given its number.
class OwnerSocket {
 public:
  explicit OwnerSocket(const std::string& path)
      : path_(path + "-vtx.sock"), fd_(::open(path_.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)) {}
  ~OwnerSocket() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnerSocket(const OwnerSocket&) = delete;
  OwnerSocket& operator=(const OwnerSocket&) = delete;

  /// Until somebody else is the owner.
  void wait_for_next() const {
    struct stat mine {};
    struct stat now {};
    if (fd_ >= 0) ::fstat(fd_, &mine);
    while (::lstat(path_.c_str(), &now) != 0 || now.st_ino == mine.st_ino) std::this_thread::sleep_for(Ms(1));
  }

 private:
  const std::string path_;
  const int fd_;
};

/// Those derived call settle() when they are made.
class SharedPlace : public StorePlace {
 public:
  std::unique_ptr<driver::Store> open() override { return std::make_unique<ThreadedStore>(make()); }
  std::function<void()> back_up() override {
    return [restore = copy(), path = endpoint().path, others = owner_ != nullptr] {
      const OwnerSocket before(path);
      restore();
      // Its owner loses its session, and opens it again.
      if (others) before.wait_for_next();
    };
  }

 protected:
  /// A store of the driver, for a thread of its own.
  virtual std::unique_ptr<driver::Store> make() = 0;
  /// What it returns restores the database as it is now.
  virtual std::function<void()> copy() = 0;

  void settle(Owner owner) {
    if (owner == Owner::first) return;
    owner_ = own();
    if (owner == Owner::another) return;
    const auto guest = std::make_unique<StoreSession>(open(), endpoint());
    guest->holder();
    const OwnerSocket before(endpoint().path);
    owner_ = own();  // first it attaches to the one before, which then ends
    EXPECT_TRUE(guest->wait_lost());
    before.wait_for_next();
  }
  /// Before what it works on goes.
  void end() { owner_.reset(); }

  const Directory directory_;

 private:
  std::unique_ptr<ThreadedStore> own() {
    auto store = std::make_unique<ThreadedStore>(make(), true);
    const Status started = store->start(endpoint(), true);
    EXPECT_TRUE(started.ok()) << started.text();
    return store;
  }

  std::unique_ptr<ThreadedStore> owner_;
};

/// @param name  of the store, as tests print it
template <class Place>
StoreUnderTest shared_under_test(const std::string& name, Owner owner) {
  return {name, [owner] { return std::make_unique<Place>(owner); }, true, owner == Owner::first, owner == Owner::first};
}

}  // namespace vtx::test
