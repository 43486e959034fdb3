#pragma once
// Every key of a recipe: its place in the structs and what it may be. Defaults are the structs'
// own.

#include <string>
#include <string_view>
#include <vector>

#include "recipe/given_values.h"
#include "recipe/recipe.h"
#include "recipe/setting.h"

namespace prescript {

using Setting = SettingOf<Recipe>;

/// In the order of docs/RECIPES.md; the keys of a section stand together.
const std::vector<Setting>& recipe_schema();

/// The key of this path; null when there is none.
const Setting* find_setting(std::string_view path);

/// Whether the recipe has what the setting needs.
bool has_effect(const Setting& setting, const Recipe& recipe);

/// Their paths.
const std::vector<KnownKey>& recipe_keys();

}  // namespace prescript
