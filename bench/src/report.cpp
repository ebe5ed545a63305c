/* SPDX-License-Identifier: MPL-2.0 */
#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vtx::bench {
namespace {

bool is_time(const Case& result) { return result.unit == "us"; }

std::string verdict(const Case& result, const Series& series) {
  const double ratio = median(series.ratios);
  std::string text = fmt::format("  ratio {:.2f}", ratio);
  if (series.ratios.size() > 1)
    text += fmt::format(" ({:.2f} to {:.2f})", quantile(series.ratios, 0), quantile(series.ratios, 1));
  if (!series.target) return text;
  const bool met = is_time(result) ? ratio <= *series.target : ratio >= *series.target;
  return text + fmt::format(", {} {:.2g}: {}", is_time(result) ? "at most" : "at least", *series.target,
                            met ? "met" : "MISSED");
}

Json to_json(const Point& point) {
  return {{"store", point.store},
          {"work", point.work},
          {"size_bytes", point.size_bytes},
          {"instances", point.instances},
          {"messages", point.messages}};
}

}  // namespace

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(std::lround(share * last))];
}

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

Json to_json(const Case& result) {
  Json series = Json::array();
  for (const Series& one : result.series) {
    Json row{{"name", one.name}, {"median", median(one.values)}};
    if (is_time(result))
      row["p99"] = quantile(one.values, 0.99);
    else
      row["rounds"] = one.values;
    if (one.batch) row["batch"] = *one.batch;
    if (!one.ratios.empty()) row["ratio"] = median(one.ratios);
    if (one.ratios.size() > 1) row["ratios"] = one.ratios;
    if (one.target) row["target"] = *one.target;
    if (one.point) row.update(to_json(*one.point));
    series.push_back(std::move(row));
  }
  return {{"case", result.name}, {"title", result.title}, {"unit", result.unit}, {"series", std::move(series)}};
}

void print(const Case& result) {
  fmt::print("{}: {}\n", result.name, result.title);
  for (const Series& one : result.series) {
    fmt::print("  {:<34}{:>10.0f} {}", one.name, median(one.values), result.unit);
    if (is_time(result)) fmt::print("  p99 {:>8.0f} us", quantile(one.values, 0.99));
    if (one.batch) fmt::print("  {:>6.0f} a batch", *one.batch);
    if (!one.ratios.empty()) fmt::print("{}", verdict(result, one));
    fmt::print("\n");
  }
  fmt::print("\n");
  std::fflush(stdout);
}

}  // namespace vtx::bench
