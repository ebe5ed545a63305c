/* SPDX-License-Identifier: MPL-2.0 */
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace vtx::test {

/// What the program's command line asks for instead of tests: to be one process of a fleet. @return its exit code; nullopt: nothing
std::optional<int> play_role(const std::vector<std::string>& words);

}  // namespace vtx::test
