#include "recipe/given_values.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "base/durable_file.h"
#include "io/quote.h"
#include "recipe/nearest_path.h"
#include "recipe/value_kind.h"

namespace prescript {
namespace {

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kUsage, place + ": " + message);
}

/// The part of a path before its first dot, and the rest behind it.
std::pair<std::string_view, std::string_view> split(std::string_view path) {
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) return {path, {}};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

/// Whether `path` is `known`, or, with `as_section`, what `known` begins with, up to a dot.
bool matches(std::string_view path, std::string_view known, bool as_section) {
  while (true) {
    const auto [part, rest] = split(path);
    const auto [known_part, known_rest] = split(known);
    if (known_part == "*" ? !is_recipe_name(part) : part != known_part) return false;
    const bool ends = part.size() == path.size();
    const bool known_ends = known_part.size() == known.size();
    if (ends) return as_section ? !known_ends : known_ends;
    if (known_ends) return false;
    path = rest;
    known = known_rest;
  }
}

/// Collects the values of one source: the file, or all overrides.
class Collector {
 public:
  Collector(GivenValues& given, std::span<const KnownKey> keys, const OtherRecipes& others)
      : given_(given), keys_(keys), others_(others), first_(given.size()) {}

  /// A key of the group `group` and what stands behind it; a key with dots names its groups itself.
  /// `place` is the file, whose line and column the value has, or the override.
  void add(const std::string& key,
           const YamlValue& value,
           const std::string& place,
           bool in_file,
           const std::string& group = "") {
    const std::string path = group.empty() ? key : group + "." + key;
    const std::string here =
        in_file ? place + ":" + std::to_string(value.line) + ":" + std::to_string(value.column)
                : place;
    if (is_known_key(path, keys_)) {
      if (!seen_.insert(path).second) fail(here, path + ": set twice; remove one of them");
      given_.erase(path);
      if (value.kind != YamlValue::Kind::kNull) {
        given_.emplace(path, Given{value, here, first_ + seen_.size()});
      }
    } else if (!is_known_section(path, keys_)) {
      refuse_unknown(path, here);
    } else if (value.kind == YamlValue::Kind::kMapping) {
      for (const auto& [name, member] : value.members) add(name, member, place, in_file, path);
    } else if (value.kind != YamlValue::Kind::kNull) {
      fail(here, path + ": found " + describe(value) + "; allowed is a group of keys");
    } else if (!in_file) {
      std::erase_if(given_, [&](const auto& one) { return one.first.starts_with(path + "."); });
    }
  }

 private:
  [[noreturn]] void refuse_unknown(const std::string& path, const std::string& here) const {
    const size_t dot = path.rfind('.');
    const std::string with_a_name =
        dot == std::string::npos ? "NAME" : path.substr(0, dot) + ".NAME";
    if (is_known_key(with_a_name, keys_) || is_known_section(with_a_name, keys_)) {
      fail(here,
           quote(path.substr(dot + 1)) +
               " is no name; a name is a letter and then letters, digits, - and _, at most 64");
    }
    if (is_known_key(path, others_.keys) || is_known_section(path, others_.keys)) {
      fail(here,
           "unknown key " + quote(path) + "; recipes of prescript " + others_.command +
               " have it: run that, or remove the key");
    }
    fail(here,
         "unknown key " + quote(path) + "; the nearest known key is " + nearest_path(path, keys_));
  }

  GivenValues& given_;
  std::span<const KnownKey> keys_;
  const OtherRecipes& others_;
  size_t first_;
  std::set<std::string> seen_;
};

}  // namespace

bool is_recipe_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && name.size() <= 64 && is_letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) {
           return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

bool is_known_key(std::string_view path, std::span<const KnownKey> keys) {
  return std::ranges::any_of(keys,
                             [path](const KnownKey& k) { return matches(path, k.path, false); });
}

bool is_known_section(std::string_view path, std::span<const KnownKey> keys) {
  return std::ranges::any_of(keys,
                             [path](const KnownKey& k) { return matches(path, k.path, true); });
}

GivenValues read_given_values(const std::string& path,
                              std::span<const std::string> overrides,
                              std::span<const KnownKey> keys,
                              const OtherRecipes& others) {
  GivenValues given;
  const std::string text = read_file(path, YamlLimits().max_bytes, ExitCode::kUsage);
  const YamlValue root = parse_yaml(text, path, ExitCode::kUsage);
  if (root.kind != YamlValue::Kind::kMapping && root.kind != YamlValue::Kind::kNull) {
    fail(path, "found " + describe(root) + "; a recipe is a group of keys (docs/RECIPES.md)");
  }
  Collector of_file(given, keys, others);
  for (const auto& [key, value] : root.members) of_file.add(key, value, path, true);

  Collector of_overrides(given, keys, others);
  for (const std::string& override : overrides) {
    const std::string place = "override " + quote(override);
    const size_t equals = override.find('=');
    if (equals == std::string::npos) fail(place, "expected key.path=value");
    const std::string_view value = std::string_view(override).substr(equals + 1);
    of_overrides.add(
        override.substr(0, equals), parse_yaml(value, place, ExitCode::kUsage), place, false);
  }
  return given;
}

void fail_value(const std::string& path, const Given& given, const std::string& allowed) {
  fail(given.place, path + ": found " + describe(given.value) + "; allowed is " + allowed);
}

}  // namespace prescript
