/* SPDX-License-Identifier: MPL-2.0 */
//
// See json_format.hpp.
#include "json_format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base64.hpp"
#include "failure.hpp"
#include "text.hpp"

namespace vtx::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kDeepest = 3;  // the object, its properties, a list of values
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kLongestProperties = std::size_t{64} << 10;

Json to_json(std::string_view bytes) {
  if (is_utf8(bytes)) return Json(bytes);
  return Json{{"base64", to_base64(bytes)}};
}

/// A name that stands there twice has a list of values.
void add_value(Json& properties, const std::string& name, Json value) {
  const auto known = properties.find(name);
  if (known == properties.end())
    properties[name] = std::move(value);
  else if (known->is_array())
    known->push_back(std::move(value));
  else
    *known = Json::array({std::move(*known), std::move(value)});
}

Json properties_to_json(std::string_view text) {
  Json properties = Json::object();
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t colon = std::min(line.find(':'), line.size());
    std::string_view value = line.substr(std::min(colon + 1, line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    add_value(properties, std::string(line.substr(0, colon)), to_json(value));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return properties;
}

/// The bytes of a text or {"base64": "…"}.
std::string bytes_of(const Json& value, const std::string& what) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_object() && value.size() == 1 && value.contains("base64") && value["base64"].is_string()) {
    if (auto bytes = from_base64(value["base64"].get_ref<const std::string&>())) return *std::move(bytes);
    throw Failure(what + " is no valid base64");
  }
  throw Failure(what + R"( must be a text or {"base64": "…"})");
}

bool is_name(std::string_view name) {
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("._-").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), fits);
}

void add_property(const std::string& name, const Json& value, std::string& text) {
  const std::string what = fmt::format("property '{}'", printable(name.substr(0, kLongestName)));
  if (!is_name(name)) throw Failure(what + ": a name is up to 64 of A-Z a-z 0-9 . _ -");
  const std::string bytes = bytes_of(value, what);
  if (bytes.find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos)
    throw Failure(what + " may have no line feed, carriage return or zero byte");
  text += fmt::format("{}: {}\n", name, bytes);
}

std::string properties_of(const Json& properties) {
  if (!properties.is_object()) throw Failure(R"("properties" must be an object)");
  std::string text;
  for (const auto& [name, value] : properties.items()) {
    if (value.is_array())
      for (const Json& one : value) add_property(name, one, text);
    else
      add_property(name, value, text);
  }
  if (text.size() > kLongestProperties) throw Failure("its properties are longer than 64 KiB");
  return text;
}

/// Ends parsing as soon as it is deeper than any message is, whatever else the line holds.
bool check_depth(int depth, Json::parse_event_t, Json&) {
  if (depth > kDeepest) throw Failure("is nested too deeply");
  return true;
}

Json parse(std::string_view line) {
  try {
    return Json::parse(line, check_depth);
  } catch (const Json::parse_error& error) {
    throw Failure(fmt::format("is no JSON (byte {})", error.byte));
  }
}

}  // namespace

void encode_json(const Message& message, std::string& out) {
  Json object{{"frames", Json::array()}};
  for (const auto& frame : message.frames) object["frames"].push_back(to_json(frame.to_string_view()));
  object["properties"] = properties_to_json(message.properties.to_string_view());
  out += object.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

void decode_json(std::string_view line, Message& message) {
  const Json object = parse(line);
  if (!object.is_object() || !object.contains("frames"))
    throw Failure(R"(must be an object with "frames": {"frames": ["text"]})");
  for (const auto& [key, value] : object.items())
    if (key != "frames" && key != "properties")
      throw Failure(fmt::format("has the unknown key '{}'", printable(key.substr(0, kLongestName))));
  const Json& frames = object["frames"];
  if (!frames.is_array() || frames.empty()) throw Failure(R"("frames" must be a list with at least one frame)");
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::string bytes = bytes_of(frames[i], fmt::format("frame {}", i + 1));
    message.frames.emplace_back(bytes.data(), bytes.size());
  }
  if (!object.contains("properties")) return;
  const std::string text = properties_of(object["properties"]);
  message.properties.rebuild(text.data(), text.size());
}

}  // namespace vtx::cli
