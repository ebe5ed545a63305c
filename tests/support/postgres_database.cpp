/* SPDX-License-Identifier: MPL-2.0 */
#include "support/postgres_database.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <map>

namespace vtx::test {
namespace {

constexpr const char* kHost = "127.0.0.1";

SharedPostgres read_location() {
  std::ifstream in(VTX_POSTGRES_DIRECTORY "/server.env");
  std::map<std::string, std::string> values;
  for (std::string line; std::getline(in, line);)
    if (const std::size_t equals = line.find('='); equals != std::string::npos)
      values[line.substr(0, equals)] = line.substr(equals + 1);
  if (values.empty())
    throw std::runtime_error(
        "no Postgres runs for the tests: run them by ctest, or first: vtx_postgres_fixture "
        "start " VTX_POSTGRES_DIRECTORY);
  return {values.at("socket_directory"), static_cast<std::uint16_t>(std::stoi(values.at("port"))),
          static_cast<std::uint16_t>(std::stoi(values.at("bouncer_port")))};
}

std::string keywords(const std::string& database, const std::string& user) {
  const SharedPostgres& shared = SharedPostgres::get();
  return "host=" + shared.socket_directory + " port=" + std::to_string(shared.port) + " user=" + user +
         " dbname=" + database;
}

/// Of this process and moment: no two test programs, and no two runs, meet.
std::string fresh_name() {
  static std::atomic<int> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  return "t_" + std::to_string(::getpid()) + "_" + std::to_string(++count) + "_" + std::to_string(now);
}

std::string percent_encoded(const std::string& path) {
  std::string encoded;
  for (const char c : path) encoded += c == '/' ? std::string("%2F") : std::string(1, c);
  return encoded;
}

}  // namespace

const SharedPostgres& SharedPostgres::get() {
  static const SharedPostgres shared = read_location();
  return shared;
}

PostgresDatabase::PostgresDatabase() : name_(fresh_name()) {
  // The other strategy makes two checkpoints: quicker by 10 ms where the files are in memory, and slower by far where not.
  SqlSession(keywords("postgres", "postgres"))
      .exec("CREATE DATABASE " + name_ + " OWNER vtx TEMPLATE template0 STRATEGY wal_log");
}

PostgresDatabase::~PostgresDatabase() {
  try {
    SqlSession(keywords("postgres", "postgres")).exec("DROP DATABASE " + name_ + " WITH (FORCE)");
  } catch (const std::exception&) {
    // It goes with its server at the latest.
  }
}

std::string PostgresDatabase::address(Way way) const {
  const SharedPostgres& shared = SharedPostgres::get();
  if (way == Way::socket)
    return "postgres://vtx@/" + name_ + "?host=" + percent_encoded(shared.socket_directory) +
           "&port=" + std::to_string(shared.port);
  return "postgres://vtx@" + std::string(kHost) + ":" +
         std::to_string(way == Way::tcp ? shared.port : shared.bouncer_port) + "/" + name_;
}

driver::Endpoint PostgresDatabase::endpoint(Way way) const {
  const SharedPostgres& shared = SharedPostgres::get();
  driver::Endpoint endpoint;
  endpoint.text = address(way);
  endpoint.scheme = "postgres";
  endpoint.has_authority = true;
  endpoint.user = "vtx";
  endpoint.path = "/" + name_;
  if (way == Way::socket)
    endpoint.options = {{"host", shared.socket_directory}, {"port", std::to_string(shared.port)}};
  else
    endpoint.authority = std::string(kHost) + ":" + std::to_string(way == Way::tcp ? shared.port : shared.bouncer_port);
  return endpoint;
}

SqlRows PostgresDatabase::sql(const std::string& text) const { return SqlSession(conninfo()).exec(text); }

SqlRows PostgresDatabase::sql_as_superuser(const std::string& text) const {
  return SqlSession(keywords(name_, "postgres")).exec(text);
}

std::string PostgresDatabase::conninfo() const { return keywords(name_, "vtx"); }

}  // namespace vtx::test
