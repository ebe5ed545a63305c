/* SPDX-License-Identifier: MPL-2.0 */
//
// Names that one link of this engine may have. Towards the store all of them are one holder, which cannot tell them apart.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace vtx {

/// Confined to its driver thread.
class Names {
 public:
  /// True when the name is the owner's now, or was before.
  bool take(const std::string& name, const void* owner) {
    return owners_.try_emplace(name, owner).first->second == owner;
  }
  /// Calls back once when the name is free.
  void wait(const std::string& name, std::function<void()> free) { waiting_[name].push_back(std::move(free)); }
  void free(const std::string& name, const void* owner) {
    const auto found = owners_.find(name);
    if (found == owners_.end() || found->second != owner) return;
    owners_.erase(found);
    const auto waiting = waiting_.extract(name);
    if (waiting.empty()) return;
    for (const auto& call : waiting.mapped()) call();
  }

 private:
  std::map<std::string, const void*> owners_;
  std::map<std::string, std::vector<std::function<void()>>> waiting_;
};

}  // namespace vtx
