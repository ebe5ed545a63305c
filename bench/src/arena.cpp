/* SPDX-License-Identifier: MPL-2.0 */
#include "arena.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace vtx::bench {

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Arena::Arena(const std::string& parent) {
  std::string pattern = (std::filesystem::path(parent) / "vtx-bench-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr)
    throw Failure("cannot make a directory in " + parent + ": " + std::strerror(errno) +
                  "; name another with --directory");
  directory_ = pattern;
}

Arena::~Arena() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Arena::fresh() {
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) std::filesystem::remove_all(entry.path());
  // What was removed is still being written and discarded: that belongs to no measurement.
  sync();
  return another();
}

std::string Arena::another() { return (directory_ / ("bench-" + std::to_string(++count_) + ".db")).string(); }

}  // namespace vtx::bench
