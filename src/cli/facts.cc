#include "cli/facts.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "cli/terminal.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

std::string plain(const ordered_json& value) {
  return printable(value.is_string() ? value.get<std::string>() : json_line(value));
}

/// Whether it says nothing: absent, or made of nothing else.
bool is_empty(const ordered_json& value) {
  if (value.is_object()) return std::all_of(value.begin(), value.end(), is_empty);
  return value.empty() || (value.is_string() && value.get_ref<const std::string&>().empty());
}

void write_members(const ordered_json& facts, size_t indent) {
  size_t width = 0;
  for (const auto& [key, value] : facts.items()) {
    if (!value.is_object() && !is_empty(value)) width = std::max(width, key.size());
  }
  const std::string margin(indent, ' ');
  for (const auto& [key, value] : facts.items()) {
    if (is_empty(value)) continue;
    if (value.is_object()) {
      write_result(margin + printable(key));
      write_members(value, indent + 2);
    } else {
      write_result(margin + printable(key) + std::string(width - key.size() + 2, ' ') +
                   plain(value));
    }
  }
}

}  // namespace

std::string json_line(const ordered_json& value) {
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

void write_facts(const ordered_json& facts, bool as_json) {
  if (as_json) {
    write_result(json_line(facts));
  } else {
    write_members(facts, 0);
  }
}

}  // namespace prescript
