/* SPDX-License-Identifier: MPL-2.0 */
//
// An operator's question on its way to a store, for the files that answer a subject each.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "endpoint/endpoint.hpp"
#include "manager/store_instance.hpp"

namespace vtx {

/// One command: where it goes, and its words.
struct AdminRequest {
  StoreInstance& instance;
  const LinkEndpoint& endpoint;
  std::vector<std::string> words;
  driver::Ms timeout;

  Result<driver::Completion> ask(driver::Operation operation, bool create = false) const {
    return instance.ask(endpoint.address, create, std::move(operation), timeout);
  }
  const std::string& queue() const { return endpoint.options.queue; }
  /// The word there; empty when there are not so many.
  std::string word(std::size_t index) const { return words.size() > index ? words[index] : std::string(); }
};

/// One group as "show" and "groups list" tell it.
nlohmann::json group_to_json(const driver::GroupStats& group);

/// The endpoint's queue, with every mailbox or those with something in them.
Result<driver::QueueStats> inspect(const AdminRequest& request, bool mailboxes);

/// "groups list [all]", "groups seek GROUP WHERE", "groups drop GROUP [force]".
Result<nlohmann::json> run_groups(const AdminRequest& request);

/// "check" and "migrate".
Result<nlohmann::json> run_check(const AdminRequest& request);

}  // namespace vtx
