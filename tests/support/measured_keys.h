#pragma once
// What two runs of the same recipe do not have in common.

#include <nlohmann/json.hpp>

namespace prescript {

/// A line of metrics.jsonl without what was measured of time and memory.
inline nlohmann::ordered_json without_measured(nlohmann::ordered_json line) {
  for (const char* key : {"seconds",
                          "seconds_forward",
                          "seconds_head",
                          "seconds_backward",
                          "flops_per_second",
                          "share_of_peak",
                          "peak_rss_bytes"}) {
    line.erase(key);
  }
  return line;
}

}  // namespace prescript
