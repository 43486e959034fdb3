#include "recipe/nearest_path.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "recipe/schema.h"

namespace prescript {
namespace {

/// The share of letters to insert, delete or replace (Levenshtein's distance over the longer
/// length).
double difference(std::string_view from, std::string_view to) {
  std::vector<size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < from.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < to.size(); ++j) {
      const size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  const size_t longer = std::max({from.size(), to.size(), size_t{1}});
  return static_cast<double>(row.back()) / static_cast<double>(longer);
}

std::string_view last_key(std::string_view path) {
  return path.substr(path.rfind('.') + 1);  // npos + 1 is 0
}

/// Every key, and every section.
std::vector<std::string> known_paths() {
  std::vector<std::string> paths;
  for (const Setting& setting : recipe_schema()) {
    for (size_t dot = setting.path.find('.'); dot != std::string::npos;
         dot = setting.path.find('.', dot + 1)) {
      const std::string section = setting.path.substr(0, dot);
      if (std::ranges::find(paths, section) == paths.end()) paths.push_back(section);
    }
    paths.push_back(setting.path);
  }
  return paths;
}

}  // namespace

std::string nearest_path(std::string_view path) {
  // Longer than any key: the rest of a hostile one changes nothing.
  path = path.substr(0, 100);
  const auto unlikeness = [path](const std::string& known) {
    const double whole = difference(path, known);
    const Setting* setting = find_setting(known);
    const bool is_absent = setting != nullptr && setting->write(Recipe()) == "null";
    return std::tuple(
        std::min(whole, difference(last_key(path), last_key(known))), is_absent, whole);
  };
  return std::ranges::min(known_paths(), {}, unlikeness);
}

}  // namespace prescript
