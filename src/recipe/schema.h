#pragma once
// Every key of a recipe: its place in the structs and what it may be. Defaults are the structs'
// own.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "io/yaml.h"
#include "recipe/recipe.h"

namespace prescript {

/// One key of a recipe.
struct Setting {
  std::string path;     // "training.steps"
  std::string allowed;  // "a whole number in [1, 4096]"
  /// Puts a value that is not null into its place; false when it is not allowed.
  std::function<bool(const YamlValue&, Recipe&)> read;
  /// The YAML text of its value; "null" when it is absent.
  std::function<std::string(const Recipe&)> write;

  bool required = false;
  /// The key and its value without which this one would have no effect; or nothing. The value
  /// "null" is that of an absent key.
  std::string needs_path = {};
  std::string needs_value = {};
};

/// In the order of docs/RECIPES.md; the keys of a section stand together.
const std::vector<Setting>& recipe_schema();

/// The key of this path; null when there is none.
const Setting* find_setting(std::string_view path);

/// Whether the recipe has what the setting needs.
bool has_effect(const Setting& setting, const Recipe& recipe);

/// Whether keys begin with this path and a dot.
bool is_section(std::string_view path);

}  // namespace prescript
