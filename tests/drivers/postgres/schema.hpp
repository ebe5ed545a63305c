/* SPDX-License-Identifier: MPL-2.0 */
//
// A database with VTX's schema in it, and roles that own nothing, for tests of what is there beside the sockets.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "contract/link_world.hpp"
#include "support/postgres_database.hpp"
#include "vtx/drivers/postgres.h"

namespace vtx::postgres::test {

using namespace vtx::test;

class PostgresTest
    : public testing::Test {  // NOLINT(cppcoreguidelines-virtual-class-destructor): as GoogleTest has them
 protected:
  PostgresTest() = default;
  ~PostgresTest() override {
    for (const auto& role : roles_) database_.sql_as_superuser("DROP OWNED BY " + role + "; DROP ROLE " + role);
  }

  /// Of the queue, for the owner or another role.
  std::string at(const std::string& options, const std::string& role = "vtx") const {
    std::string address = database_.address();
    address.replace(address.find("vtx@"), 3, role);
    return address + "?" + options;
  }
  /// What libpq takes.
  std::string conninfo(const std::string& role = "vtx") const {
    std::string text = database_.conninfo();
    return text.replace(text.find("user=vtx"), 8, "user=" + role);
  }
  /// A new role that may log in and nothing else.
  std::string make_role(const std::string& suffix) {
    const std::string role = database_.name() + "_" + suffix;
    database_.sql_as_superuser("CREATE ROLE " + role + " LOGIN");
    roles_.push_back(role);
    return role;
  }
  /// A role that the owner has allowed to do these.
  std::string role_that_may(const std::vector<std::string>& rights) {
    std::string suffix = "may";
    for (const auto& right : rights) suffix += "_" + right;
    const std::string role = make_role(suffix);
    for (const auto& right : rights) database_.sql("SELECT vtx.allow('" + role + "', '" + right + "')");
    return role;
  }
  /// The queue and its group, made by the owner with a PULL that ends at once.
  void declare(const std::string& options = "queue=jobs") {
    World world("postgres", vtx_postgres_driver);
    Socket pull(world, ZMQ_PULL);
    pull.bind(at(options));
    EXPECT_TRUE(pull.receives_nothing());
  }
  /// The statement's SQLSTATE; empty when it succeeds.
  static std::string state_of(SqlSession& session, const std::string& statement) {
    try {
      session.exec(statement);
    } catch (const SqlError& error) {
      return error.sqlstate;
    }
    return "";
  }

  PostgresDatabase database_;

 private:
  std::vector<std::string> roles_;
};

}  // namespace vtx::postgres::test
