#include "recipe/nearest_path.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

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

/// The known path with the names that `path` has in the places of its "*", as long as they agree
/// before.
std::string with_names_of(std::string_view path, std::string_view known) {
  std::string named;
  bool agrees = true;
  while (!known.empty()) {
    const std::string_view part = known.substr(0, known.find('.'));
    const std::string_view given = path.substr(0, path.find('.'));
    const bool is_name = part == "*" && agrees && is_recipe_name(given);
    agrees = agrees && (part == given || is_name);
    named += is_name ? given : part == "*" ? "NAME" : part;
    known.remove_prefix(std::min(part.size() + 1, known.size()));
    path.remove_prefix(std::min(given.size() + 1, path.size()));
    if (!known.empty()) named += ".";
  }
  return named;
}

/// Every key, and every section.
std::vector<KnownKey> with_sections(std::string_view path, std::span<const KnownKey> keys) {
  std::vector<KnownKey> all;
  for (const KnownKey& key : keys) {
    const std::string known = with_names_of(path, key.path);
    for (size_t dot = known.find('.'); dot != std::string::npos; dot = known.find('.', dot + 1)) {
      const std::string section = known.substr(0, dot);
      if (std::ranges::find(all, section, &KnownKey::path) == all.end()) all.push_back({section});
    }
    all.push_back({known, key.is_absent_by_default});
  }
  return all;
}

}  // namespace

std::string nearest_path(std::string_view path, std::span<const KnownKey> keys) {
  // Longer than any key: the rest of a hostile one changes nothing.
  path = path.substr(0, 100);
  const auto unlikeness = [path](const KnownKey& known) {
    const double whole = difference(path, known.path);
    return std::tuple(std::min(whole, difference(last_key(path), last_key(known.path))),
                      known.is_absent_by_default,
                      whole);
  };
  return std::ranges::min(with_sections(path, keys), {}, unlikeness).path;
}

}  // namespace prescript
