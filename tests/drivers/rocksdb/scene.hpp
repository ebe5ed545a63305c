/* SPDX-License-Identifier: MPL-2.0 */
//
// A directory of its own for each test, and stores on a database in it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "contract/store_session.hpp"
#include "store.hpp"
#include "support/threaded_store.hpp"
#include "vtx/drivers/rocksdb.h"

namespace vtx::rocks::test {

using namespace vtx::test;
using driver::Endpoint;
namespace fs = std::filesystem;

/// One message, as the session's next commit.
inline driver::Commit commit_of(StoreSession& session, Id stream, const std::string& body) {
  driver::Commit commit = session.next_commit();
  driver::Append append;
  append.stream = stream;
  driver::Message message;
  message.body = std::as_bytes(std::span(body));
  append.messages.push_back(message);
  commit.appends.push_back(std::move(append));
  return commit;
}

class RocksTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "vtx-rocks-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    directory_ = name;
    path_ = directory_ / "q";
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
  }

  Endpoint endpoint() const {
    Endpoint endpoint;
    endpoint.scheme = "rocksdb";
    endpoint.path = path_;
    endpoint.text = "rocksdb://" + endpoint.path;
    endpoint.options = options_;
    return endpoint;
  }
  std::unique_ptr<StoreSession> open() { return std::make_unique<StoreSession>(make_store(), endpoint()); }
  /// At work in a thread of its own, as it is where several share a directory.
  std::unique_ptr<StoreSession> open_beside() {
    return std::make_unique<StoreSession>(std::make_unique<ThreadedStore>(make_store()), endpoint());
  }
  static std::unique_ptr<driver::Store> make_store() {
    return std::unique_ptr<driver::Store>(static_cast<driver::Store*>(vtx_rocksdb_driver()->store()));
  }
  /// What start() itself says.
  Status start(bool create = true) { return make_store()->start(endpoint(), create); }

  std::vector<std::string> names_in(const fs::path& where) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(where)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
  }
  std::uintmax_t size_of_directory() const {
    std::uintmax_t size = 0;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator(path_))
      if (const auto bytes = entry.file_size(gone); !gone) size += bytes;
    return size;
  }
  /// The largest file of this kind.
  fs::path largest(const std::string& extension) const {
    fs::path found;
    for (const auto& entry : fs::directory_iterator(path_))
      if (entry.path().extension() == extension && (found.empty() || entry.file_size() > fs::file_size(found)))
        found = entry.path();
    return found;
  }

  fs::path directory_, path_;
  std::map<std::string, std::string> options_;
};

}  // namespace vtx::rocks::test
