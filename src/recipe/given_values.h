#pragma once
// The values that somebody gave in a recipe's file and in overrides, by the paths of their keys.

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/yaml.h"

namespace prescript {

/// A key that a kind of recipe knows. A part "*" of its path stands for a name that the recipe
/// gives: "tasks.*.limit".
struct KnownKey {
  std::string path;
  bool is_absent_by_default = false;
};

/// The recipes that another command takes, so that a message may name it.
struct OtherRecipes {
  std::string command;
  std::span<const KnownKey> keys;
};

struct Given {
  YamlValue value;
  std::string place;
  size_t order = 0;  // in which the keys came
};

using GivenValues = std::map<std::string, Given>;

/// A name that a recipe gives: a letter, then letters, digits, - and _; at most 64.
bool is_recipe_name(std::string_view name);

/// Whether the path is that of a known key, or keys begin with it and a dot.
bool is_known_key(std::string_view path, std::span<const KnownKey> keys);
bool is_known_section(std::string_view path, std::span<const KnownKey> keys);

/// Reads a file (YAML or JSON) and the overrides, each "key.path=value". null takes a value away.
/// Throws InputError(kUsage) for what is no YAML, an unknown key with the command that knows it or
/// the nearest known one, a key that is set twice and a group that is none.
GivenValues read_given_values(const std::string& path,
                              std::span<const std::string> overrides,
                              std::span<const KnownKey> keys,
                              const OtherRecipes& others);

/// The value of a key as the settings of a struct read it. Throws InputError(kUsage) at its place.
[[noreturn]] void fail_value(const std::string& path,
                             const Given& given,
                             const std::string& allowed);

}  // namespace prescript
