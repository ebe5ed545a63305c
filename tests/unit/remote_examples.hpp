/* SPDX-License-Identifier: MPL-2.0 */
//
// Examples of everything that goes over a connection between an owner and who is attached: each field with a value of its own, the same ones in every run.
#pragma once

#include <vector>

#include "remote/fields.hpp"
#include "remote/wire.hpp"

namespace vtx::remote {

// Beside the structs' fields(), which is found by the codec's namespace.

/// Gives every field a value that is not its default, each another one.
class Filler {
 public:
  template <class... T>
  bool operator()(T&... values) {
    (set(values), ...);
    return true;
  }

  template <class T>
  requires std::integral<T>
  void set(T& number) { number = static_cast<T>(++last_); }
  void set(bool& flag) { flag = !flag; }
  void set(Code& code) { code = Code::mismatch; }
  void set(driver::Verdict& verdict) { verdict = driver::Verdict::unseen; }
  void set(driver::Verb& verb) { verb = driver::Verb::trim; }
  void set(driver::Event& event) { event = driver::Event::changed; }
  void set(driver::Finding::Level& level) { level = driver::Finding::Level::error; }
  void set(driver::Ms& time) { time = driver::Ms(-(++last_)); }
  void set(driver::StoreTime& time) { time = driver::StoreTime(driver::Ms(1'700'000'000'000 + ++last_)); }
  void set(std::string& text) { text = "text " + std::to_string(++last_) + std::string(1, '\0') + "\xc3\xa4"; }
  void set(std::string_view& text) { text = "Name: value\n"; }
  void set(Slice& bytes) { bytes = std::as_bytes(std::span("a body\0of bytes", 15)); }
  template <std::size_t N>
  void set(std::array<std::byte, N>& bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(++last_);
  }
  template <class T>
  void set(std::optional<T>& value) {
    set(value.emplace());
  }
  template <class A, class B>
  void set(std::pair<A, B>& both) {
    set(both.first);
    set(both.second);
  }
  template <class T>
  void set(std::vector<T>& list) {
    list.resize(3);
    for (T& one : list) set(one);
  }
  void set(Status& status) { status = Status(Code::mismatch, "a sentence", 42); }
  void set(driver::Buffer&) {}
  void set(driver::Append& append) {
    fields(*this, append);
    append.only_if = 2;
  }
  template <class T>
  requires std::is_aggregate_v<T>
  void set(T& value) { fields(*this, value); }

 private:
  int last_ = 0;
};

template <std::size_t... I>
std::vector<driver::Operation> operations_of(bool filled, std::index_sequence<I...>) {
  std::vector<driver::Operation> all;
  const auto add = [&]<class Op>(Op operation) {
    if (filled) Filler().set(operation);
    all.emplace_back(std::move(operation));
  };
  (add(std::variant_alternative_t<I, driver::Operation>()), ...);
  return all;
}
/// One of each kind.
inline std::vector<driver::Operation> operations(bool filled) {
  return operations_of(filled, std::make_index_sequence<std::variant_size_v<driver::Operation>>());
}

inline driver::Completion completion() {
  driver::Completion one;
  Filler().set(one);
  return one;
}

}  // namespace vtx::remote
