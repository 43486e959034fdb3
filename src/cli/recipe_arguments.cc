#include "cli/recipe_arguments.h"

#include <CLI/CLI.hpp>

namespace prescript {

void add_recipe_arguments(CLI::App& command, RecipeArguments& arguments) {
  command.add_option("recipe", arguments.recipe, "YAML or JSON description of a run")
      ->required()
      ->type_name("RECIPE");
  command.add_option("overrides", arguments.overrides, "settings that replace the recipe's")
      ->type_name("key.path=value");
}

}  // namespace prescript
