/* SPDX-License-Identifier: MPL-2.0 */
//
// Links on the in-memory store take part in the contract.
#include <atomic>

#include "contract/link_contract.hpp"
#include "support/memory_store.hpp"

namespace vtx::test {
namespace {

class MemoryLinkPlace final : public LinkPlace {
 public:
  std::string address() const override { return "memory:" + path_; }
  std::function<void()> back_up() override {
    const auto database = memory_at(path_).database;
    return [database, backup = database->back_up()] { database->restore(backup); };
  }

 private:
  static inline std::atomic<int> count{0};
  const std::string path_ = "links-" + std::to_string(++count);
};

LinkUnderTest memory_links() {
  return {"memory", "memory", vtx_memory_driver, [] { return std::make_unique<MemoryLinkPlace>(); }};
}

}  // namespace

VTX_LINK_CONTRACT(Memory, memory_links());

}  // namespace vtx::test
