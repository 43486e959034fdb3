// A recipe as text: its settings one by one, and the whole as YAML.

#include <algorithm>
#include <sstream>

#include "recipe/recipe.h"
#include "recipe/schema.h"
#include "recipe/yaml_of_settings.h"

namespace prescript {
namespace {

/// "soft_prompt.init.from" -> {"soft_prompt", "init", "from"}
std::vector<std::string> keys_of(const std::string& path) {
  std::vector<std::string> keys;
  std::istringstream stream(path);
  for (std::string key; std::getline(stream, key, '.');) keys.push_back(key);
  return keys;
}

}  // namespace

std::string yaml_of_settings(std::span<const std::pair<std::string, std::string>> settings) {
  std::string yaml;
  std::vector<std::string> before;
  for (const auto& [path, value] : settings) {
    if (value == "null") continue;
    const std::vector<std::string> keys = keys_of(path);
    // Groups that the setting before stands in too are open already.
    size_t depth = std::ranges::mismatch(keys, before).in1 - keys.begin();
    for (; depth + 1 < keys.size(); ++depth) {
      yaml += std::string(2 * depth, ' ') + keys[depth] + ":\n";
    }
    yaml += std::string(2 * depth, ' ') + keys.back() + ": " + value + "\n";
    before = keys;
  }
  return yaml;
}

std::string recipe_yaml(const Recipe& recipe) {
  return yaml_of_settings(recipe_settings(recipe));
}

std::vector<std::pair<std::string, std::string>> recipe_settings(const Recipe& recipe) {
  std::vector<std::pair<std::string, std::string>> settings;
  for (const Setting& setting : recipe_schema()) {
    settings.emplace_back(setting.path,
                          has_effect(setting, recipe) ? setting.write(recipe) : "null");
  }
  return settings;
}

}  // namespace prescript
