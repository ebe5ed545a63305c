/* SPDX-License-Identifier: MPL-2.0 */
//
// What a case has to say, in numbers for a script and in lines for a person.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vtx::bench {

using Json = nlohmann::json;

/// What a number belongs to, for a script that draws it: names are for people.
struct Point {
  std::string store;  ///< or what is measured beside the stores
  std::string work;
  std::uint64_t size_bytes;  ///< of a message
  std::uint64_t instances;
  std::uint64_t messages;  ///< of a run, all instances together
  bool operator==(const Point&) const = default;
};

/// One thing measured again and again.
struct Series {
  std::string name;
  std::vector<double> values;         ///< one a round, or one a message
  std::optional<double> batch;        ///< messages a commit or claim
  std::vector<double> ratios = {};    ///< VTX by this, where compared; of throughputs a ratio a round
  std::optional<double> target = {};  ///< for the ratio
  std::optional<Point> point = {};    ///< where a case has many of a kind
};

struct Case {
  std::string name;
  std::string title;
  std::string unit;  ///< messages/s: more is better; us: less is better
  std::vector<Series> series;
};

double median(std::vector<double> values);
/// @param share  0.99 for the 99th percentile
double quantile(std::vector<double> values, double share);

Json to_json(const Case& result);
void print(const Case& result);

}  // namespace vtx::bench
