#pragma once
// metrics.jsonl: one JSON object a line.

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/append_file.h"

namespace prescript {

/// One line, its keys in the order of the calls. Numbers are written with the fewest digits that
/// read back to the same bits; a number that is not finite becomes null, since JSON has none.
class MetricsLine {
 public:
  MetricsLine& add(std::string_view key, double value);
  MetricsLine& add(std::string_view key, float value);
  MetricsLine& add(std::string_view key, std::string_view utf8);
  template <std::integral T>
  MetricsLine& add(std::string_view key, T value) {
    if constexpr (std::same_as<T, bool>) return add_raw(key, value ? "true" : "false");
    return add_raw(key, std::to_string(value));
  }

  /// "{...}", without a newline.
  std::string json() const { return "{" + fields_ + "}"; }

 private:
  MetricsLine& add_raw(std::string_view key, std::string_view json_value);

  std::string fields_;
};

/// The growing file. `keep_bytes`: as in AppendFile, 0 for a new run.
class MetricsFile {
 public:
  explicit MetricsFile(std::string path, uint64_t keep_bytes = 0)
      : file_(std::move(path), keep_bytes) {}

  void append(const MetricsLine& line) { file_.append(line.json() + "\n"); }
  void sync() { file_.sync(); }
  uint64_t bytes() const { return file_.bytes(); }

 private:
  AppendFile file_;
};

}  // namespace prescript
