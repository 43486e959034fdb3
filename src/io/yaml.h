#pragma once
// YAML from strangers: the only place where the project parses it.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace prescript {

struct YamlLimits {
  uint64_t max_bytes = 1u << 20;
  size_t max_depth = 32;
  size_t max_nodes = 100'000;
};

/// A value with its place in the text. Scalars keep their text: what they mean is their reader's
/// business.
struct YamlValue {
  enum class Kind { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  std::string scalar = {};
  bool quoted = false;  // "1" is text, 1 is a number
  std::vector<YamlValue> items = {};
  std::vector<std::pair<std::string, YamlValue>> members = {};  // in the order of the text
  int line = 0;    // from 1; of a member: where its key stands
  int column = 0;  // from 1

  const YamlValue* find(std::string_view key) const;
};

/// Parses one document (JSON too). `place` begins every message. Throws InputError(code)
/// "place:line:column: ..." for a syntax error, a duplicate key, an anchor, alias or tag, several
/// documents, text that is not UTF-8, and beyond the limits.
YamlValue parse_yaml(std::string_view text,
                     const std::string& place,
                     ExitCode code,
                     const YamlLimits& limits = {});

/// A scalar as YAML text that parse_yaml reads back as this very string.
std::string yaml_string(std::string_view text);

}  // namespace prescript
