/* SPDX-License-Identifier: MPL-2.0 */
//
// vtx_admin() for C++: one question to a store, its JSON answer parsed.
#pragma once

#include <vtx/vtx.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace vtx::cli {

using Json = nlohmann::json;

/// Asks and parses. Throws Failure.
Json ask(vtx_t* vtx, const std::string& endpoint, const std::string& question, std::chrono::milliseconds timeout);

/// The same in a session of its own, with ten seconds to answer.
Json ask(const std::string& endpoint, const std::string& question);

}  // namespace vtx::cli
