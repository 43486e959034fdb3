#pragma once
// The recipe that a command line names, and what replaces its settings.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace prescript {

struct RecipeArguments {
  std::string recipe;
  std::vector<std::string> overrides;
};

/// RECIPE [key.path=value ...]. `arguments` must outlive the parsing.
void add_recipe_arguments(CLI::App& command, RecipeArguments& arguments);

}  // namespace prescript
