/* SPDX-License-Identifier: MPL-2.0 */
//
// What campaigns share: processes of this program in other roles, a socket with all that it needs, a directory that is kept when something failed.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "vtx/vtx.h"

namespace vtx::crash {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kDrainWithin{60'000};

/// Set by SIGTERM, in a role that called stop_on_term().
extern volatile sig_atomic_t stopped;
/// And dies with its parent.
void stop_on_term();
[[noreturn]] void die(const std::string& what);

/// A context, an instance with the driver, and one linked socket, whose receiving waits for 100 ms.
struct Station {
  Station(int type, const std::string& endpoint, bool bind = false, const std::string& routing_id = {});
  ~Station();
  Station(const Station&) = delete;
  Station& operator=(const Station&) = delete;

  void* context;
  vtx_t* vtx;
  void* socket;
};

/// Runs this program with these words, which main() knows as a role. SIGTERM is blocked there until stop_on_term().
pid_t start(const std::vector<std::string>& role);
/// Waits for it. The exit code, or -signal.
int end(pid_t child);

/// Appends whole lines to a file, each by one write, so that a kill leaves no half ones.
class Log {
 public:
  explicit Log(const std::string& file);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  void line(const std::string& text);

 private:
  const std::string file_;
  int fd_;
};

/// Of the checks that did not hold.
extern int failures;
void check(bool holds, const std::string& what);

/// A seed for what is random, from CAMPAIGN_SEED or new; printed.
unsigned long seed();

class Directory {
 public:
  Directory();
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The first column of all rows, one after the other.
std::string ask_database(const std::string& file, const char* sql);
/// The JSON of the answer, or why there is none.
std::string admin(vtx_t* vtx, const std::string& endpoint, const char* command);
/// An instance for admin().
class Operator {
 public:
  explicit Operator(std::string endpoint);
  ~Operator();
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  std::string show() { return run("show"); }
  std::string run(const std::string& command) { return admin(vtx_, endpoint_, command.c_str()); }
  /// Waits until the queue's only group has settled all.
  bool drain();

 private:
  const std::string endpoint_;
  void* context_;
  vtx_t* vtx_;
};

}  // namespace vtx::crash
