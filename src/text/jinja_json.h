#pragma once
// The filter tojson as transformers defines it: Python's json.dumps.

#include <optional>
#include <string>

#include "text/jinja_value.h"

namespace prescript::jinja {

struct JsonForm {
  bool ensure_ascii = false;
  std::optional<std::string> indent;  // of one level; absent: all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  bool sort_keys = false;
};

std::string to_json(Run& run, const Value& value, const JsonForm& form);

}  // namespace prescript::jinja
