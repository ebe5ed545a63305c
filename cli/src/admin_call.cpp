/* SPDX-License-Identifier: MPL-2.0 */
//
// See admin_call.hpp.
#include "admin_call.hpp"

#include <memory>

#include "failure.hpp"
#include "session.hpp"

namespace vtx::cli {

Json ask(vtx_t* vtx, const std::string& endpoint, const std::string& question, std::chrono::milliseconds timeout) {
  char* text = nullptr;
  if (vtx_admin(vtx, endpoint.c_str(), question.c_str(), static_cast<int>(timeout.count()), &text) != 0) {
    throw last_failure(endpoint);
  }
  const std::unique_ptr<char, decltype(&vtx_free)> owner(text, &vtx_free);
  return Json::parse(text);
}

Json ask(const std::string& endpoint, const std::string& question) {
  Session session;
  return ask(session.vtx(), endpoint, question, std::chrono::seconds(10));
}

}  // namespace vtx::cli
