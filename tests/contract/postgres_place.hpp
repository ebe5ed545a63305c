/* SPDX-License-Identifier: MPL-2.0 */
//
// Where the contracts run on Postgres: a fresh database of the run's server, met directly or through PgBouncer; and its
// backup and restoration as people make them, by pg_dump and psql, under programs at work.
#pragma once

#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "support/postgres_database.hpp"
#include "support/postgres_server.hpp"

namespace vtx::test {

/// A dump of the schema `vtx` in a temporary file, gone with this.
class PostgresBackup {
 public:
  explicit PostgresBackup(std::string conninfo) : conninfo_(std::move(conninfo)) {
    std::string name = (std::filesystem::temp_directory_path() / "vtx-backup-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::filesystem::filesystem_error("mkdtemp", {});
    directory_ = name;
    // A program at work may drop a table after the dump has listed it.
    patiently({postgres_program("pg_dump"), "--schema=vtx", "--no-owner", "--file=" + dump(), conninfo_});
  }
  ~PostgresBackup() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  PostgresBackup(const PostgresBackup&) = delete;
  PostgresBackup& operator=(const PostgresBackup&) = delete;

  /// In one transaction, which waits for whoever is at work, and is tried again where they stand in each other's way.
  void restore() const {
    patiently({postgres_program("psql"), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
               "--command=SET LOCAL lock_timeout = '2s'", "--command=DROP SCHEMA vtx CASCADE", "--file=" + dump(),
               conninfo_});
  }

 private:
  std::string dump() const { return (directory_ / "dump.sql").string(); }

  void patiently(const Command& command) const {
    for (int left = 20;; --left) {
      try {
        return run_command(command, directory_ / "log");
      } catch (const std::exception&) {
        if (left == 0) throw;
      }
    }
  }

  const std::string conninfo_;
  std::filesystem::path directory_;
};

/// What the places of both contracts share.
class PostgresPlace {
 public:
  explicit PostgresPlace(bool pooled) : pooled_(pooled) {}

  std::string address() const { return database_.address(way()); }
  std::string options() const { return pooled_ ? "pooler=on" : ""; }
  driver::Endpoint endpoint() const {
    driver::Endpoint endpoint = database_.endpoint(way());
    if (pooled_) {
      endpoint.text += "?" + options();
      endpoint.options["pooler"] = "on";
    }
    return endpoint;
  }
  std::function<void()> back_up() const {
    // Shared, because std::function copies what it holds.
    return [backup = std::make_shared<PostgresBackup>(database_.conninfo())] { backup->restore(); };
  }

 private:
  PostgresDatabase::Way way() const { return pooled_ ? PostgresDatabase::Way::bouncer : PostgresDatabase::Way::tcp; }

  const bool pooled_;
  PostgresDatabase database_;
};

}  // namespace vtx::test
