#pragma once
// JSON from strangers: the only place where the project parses it.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"

namespace prescript {

struct JsonLimits {
  uint64_t max_bytes = 16u << 20;
  size_t max_depth = 64;
};

/// tokenizer.json of large vocabularies.
inline constexpr JsonLimits kTokenizerJsonLimits{.max_bytes = 256u << 20, .max_depth = 64};

/// Parses one JSON value that fills `text`. `place` begins every message ("config.json"). Throws
/// InputError(code) "place:line:column: ..." for anything that is not JSON in UTF-8, for a
/// duplicate key, a number outside of float64, and beyond the limits. Code that reads the result
/// includes <nlohmann/json.hpp>.
nlohmann::json parse_json(std::string_view text,
                          const std::string& place,
                          ExitCode code,
                          const JsonLimits& limits = {});

/// Parses a line of a file: `place` names both ("train.jsonl:7"), messages begin "place:column: ".
nlohmann::json parse_json_line(std::string_view line, const std::string& place, ExitCode code);

/// Reads the file and parses it.
nlohmann::json parse_json_file(const std::string& path,
                               ExitCode code,
                               const JsonLimits& limits = {});

/// A value with the way to it, so that a wrong type says where it is:
/// "config.json: rope_scaling.factor: expected a number, found a string". All functions throw
/// InputError. The parsed value must outlive the cursor.
class JsonCursor {
 public:
  JsonCursor(const nlohmann::json& root, std::string place, ExitCode code);

  /// The member `key` of an object; an error when it is absent.
  JsonCursor at(std::string_view key) const;
  /// The member, or nothing when it is absent or null.
  std::optional<JsonCursor> find(std::string_view key) const;
  /// Keys of an object, sorted.
  std::vector<std::string> keys() const;
  /// Number of items of an array, and each of them.
  size_t size() const;
  JsonCursor item(size_t index) const;

  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_null() const;

  const std::string& string() const;
  bool boolean() const;
  /// Any finite number.
  double number() const;
  /// A whole number written as one, in [min, max].
  int64_t integer(int64_t min = std::numeric_limits<int64_t>::min(),
                  int64_t max = std::numeric_limits<int64_t>::max()) const;

  const nlohmann::json& value() const { return *value_; }

  /// Throws InputError "place: path: message" about this value.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  JsonCursor(const nlohmann::json* value, std::string place, std::string path, ExitCode code);
  [[noreturn]] void fail_type(const char* expected) const;

  const nlohmann::json* value_;
  std::string place_;
  std::string path_;
  ExitCode code_;
};

}  // namespace prescript
