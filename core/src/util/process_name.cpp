/* SPDX-License-Identifier: MPL-2.0 */
#include "vtx/driver/process_name.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>

namespace vtx::driver {
namespace {

/// Which run of the kernel, and which PID namespace of it: numbers of processes mean something there only.
std::string surroundings() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  std::array<char, 64> space{};
  const auto size = ::readlink("/proc/self/ns/pid", space.data(), space.size());
  if (boot.empty() || size <= 0) return {};
  return boot + " " + std::string(space.data(), static_cast<std::size_t>(size));
}

/// When it started, in ticks since the boot; empty when there is no such process, or only what its parent has not yet heard of.
std::string start_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return {};
  // The name, in parentheses, may have anything in it; the state is the third field and the start the 22nd.
  const auto name_ends = line.rfind(')');
  if (name_ends == std::string::npos) return {};
  std::istringstream rest(line.substr(name_ends + 1));
  std::string field;
  for (int i = 3; i <= 22 && rest >> field; ++i)
    if (i == 3 && (field == "Z" || field == "X")) return {};
  return rest ? field : std::string();
}

}  // namespace

std::string name_of_process(pid_t pid) {
  const std::string where = surroundings();
  const std::string start = pid > 0 ? start_of(pid) : std::string();
  if (where.empty() || start.empty()) return {};
  return where + " " + std::to_string(pid) + " " + start;
}

bool has_process_ended(const std::string& name) {
  std::istringstream words(name);
  std::string boot, space, start;
  pid_t pid = 0;
  if (!(words >> boot >> space >> pid >> start) || pid <= 0) return false;
  const std::string here = surroundings();
  if (here.empty()) return false;
  if (!here.starts_with(boot + " ")) return true;  // the machine has been started anew
  return here == boot + " " + space && start_of(pid) != start;
}

}  // namespace vtx::driver
