/* SPDX-License-Identifier: MPL-2.0 */
//
// What an operator asks of a store, answered as JSON: the commands of vtx_admin(). The format is described in docs/operations.md.
#pragma once

#include <string>

#include "endpoint/endpoint.hpp"
#include "manager/store_instance.hpp"

namespace vtx {

Result<std::string> run_admin(StoreInstance& instance, const LinkEndpoint& endpoint, const std::string& command,
                              driver::Ms timeout);

}  // namespace vtx
