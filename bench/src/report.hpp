/* SPDX-License-Identifier: MPL-2.0 */
//
// What a case has to say, in numbers for a script and in lines for a person.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace vtx::bench {

using Json = nlohmann::json;

/// One thing measured again and again.
struct Series {
  std::string name;
  std::vector<double> values;         ///< one a round, or one a message
  std::optional<double> batch;        ///< messages a commit or claim
  std::vector<double> ratios = {};    ///< VTX by this, where compared; of throughputs a ratio a round
  std::optional<double> target = {};  ///< for the ratio
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
