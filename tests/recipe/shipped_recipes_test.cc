// The recipes that the project ships, and those that its documents show.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/evaluation_recipe.h"
#include "recipe/recipe.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kSource = PRESCRIPT_SOURCE_DIR;

/// By their paths below the project's root.
std::vector<std::string> shipped_recipes() {
  std::vector<std::string> paths;
  for (const auto& entry : fs::recursive_directory_iterator(kSource + "/recipes")) {
    if (entry.is_regular_file()) {
      paths.push_back(fs::relative(entry.path(), kSource).string());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

TEST(ShippedRecipes, AreThere) {
  EXPECT_THAT(shipped_recipes(),
              testing::IsSupersetOf({"recipes/demo.yaml",
                                     "recipes/evaluate.yaml",
                                     "recipes/lester.yaml",
                                     "recipes/llama-70b-gpu.yaml",
                                     "recipes/llama-8b-gpu.yaml",
                                     "recipes/medpalm.yaml",
                                     "recipes/multiple_choice.yaml"}));
}

TEST(ShippedRecipes, EachFitsTheSchemaAndItsExemplarsExist) {
  std::set<std::string> outputs;
  for (const std::string& path : shipped_recipes()) {
    SCOPED_TRACE(path);
    ASSERT_EQ(fs::path(path).extension(), ".yaml");
    if (is_evaluation_recipe(kSource + "/" + path)) continue;
    const Recipe recipe = read_recipe(kSource + "/" + path, {});
    EXPECT_TRUE(recipe.data.train.starts_with("exemplars/"));
    EXPECT_TRUE(fs::exists(kSource + "/" + recipe.data.train));
    EXPECT_TRUE(!recipe.data.validation || fs::exists(kSource + "/" + *recipe.data.validation));
    EXPECT_TRUE(recipe.output.starts_with("checkpoints/"));
    EXPECT_TRUE(outputs.insert(recipe.output).second) << "the output of another recipe";
  }
}

TEST(ShippedRecipes, EvaluationsAskQuestionsThatExist) {
  const EvaluationRecipe recipe = read_evaluation_recipe(kSource + "/recipes/evaluate.yaml", {});
  for (const TaskRecipe& task : recipe.tasks) {
    EXPECT_TRUE(fs::exists(kSource + "/" + task.questions)) << task.questions;
  }
  for (const std::string& path : recipe.exemplars.value()) {
    EXPECT_TRUE(fs::exists(kSource + "/" + path)) << path;
  }
  EXPECT_TRUE(recipe.output.starts_with("checkpoints/"));
}

TEST(ShippedRecipes, EachOpensWithItsPurposeItsCommandAndWhatToExpect) {
  for (const std::string& path : shipped_recipes()) {
    SCOPED_TRACE(path);
    const std::string text = bytes_of_file(kSource + "/" + path);
    const std::string opening = text.substr(0, text.find("\n\n"));
    EXPECT_THAT(opening, testing::StartsWith("# What for: "));
    const std::string command = is_evaluation_recipe(kSource + "/" + path) ? "evaluate " : "train ";
    EXPECT_THAT(opening, HasSubstr("\n# The command: build/cpu/bin/prescript " + command + path));
    EXPECT_THAT(opening, HasSubstr("\n# What to expect: "));
  }
}

TEST(ShippedRecipes, MedPalmHasThePublishedSettings) {
  const Recipe recipe = read_recipe(kSource + "/recipes/medpalm.yaml", {});
  EXPECT_EQ(recipe.soft_prompt.num_virtual_tokens, 100);
  EXPECT_EQ(recipe.soft_prompt.init.from, "uniform");
  EXPECT_EQ(recipe.soft_prompt.init.scale, 0.5);
  EXPECT_EQ(recipe.optimizer.name, "adamw");
  EXPECT_EQ(recipe.optimizer.learning_rate, 0.003);
  EXPECT_EQ(recipe.optimizer.weight_decay, 1e-5);
  EXPECT_EQ(recipe.optimizer.clip_norm, 0);
  EXPECT_EQ(recipe.training.batch_size, 32);
  EXPECT_EQ(recipe.training.steps, 200);
}

TEST(ShippedRecipes, LesterHasThePublishedSettings) {
  const Recipe recipe = read_recipe(kSource + "/recipes/lester.yaml", {});
  EXPECT_EQ(recipe.soft_prompt.num_virtual_tokens, 100);
  EXPECT_EQ(recipe.soft_prompt.init.from, "class_labels");
  EXPECT_EQ(recipe.optimizer.name, "adafactor");
  EXPECT_EQ(recipe.optimizer.learning_rate, 0.3);
  EXPECT_EQ(recipe.optimizer.schedule, "constant");
  EXPECT_EQ(recipe.optimizer.clip_norm, 0);
  EXPECT_EQ(recipe.training.batch_size, 32);
  EXPECT_EQ(recipe.training.steps, 30000);
  // T5X takes 1e-5 of a weight a step, AdamW's decay is times the learning rate.
  EXPECT_NEAR(recipe.optimizer.weight_decay * 0.3, 1e-5, 2e-7);
}

/// What the text is with the comment mark of its search taken away.
std::string with_search(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  bool is_search = false;
  for (std::string line; std::getline(lines, line);) {
    is_search = line == "# search:" || (is_search && line.starts_with("#   "));
    result += (is_search ? line.substr(2) : line) + "\n";
  }
  return result;
}

TEST(ShippedRecipes, TheGridOfMedPalmIsItsCommentedSearch) {
  TemporaryDirectory directory;
  const std::string text = bytes_of_file(kSource + "/recipes/medpalm.yaml");
  const Recipe recipe = read_recipe(
      directory.write("recipe.yaml", with_search(text)),
      std::vector<std::string>{"optimizer.learning_rate=null", "optimizer.weight_decay=null"});
  EXPECT_EQ(recipe.search.learning_rate, (std::vector<double>{0.001, 0.003, 0.01}));
  EXPECT_EQ(recipe.search.weight_decay, (std::vector<double>{0.001, 0.00001}));
}

TEST(DocumentedRecipes, TheDocumentsExamplesAreRecipes) {
  const TemporaryDirectory dir;
  std::ifstream document(PRESCRIPT_SOURCE_DIR "/docs/RECIPES.md");
  std::vector<std::string> examples;
  bool in_example = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("    base_model:")) examples.emplace_back();
    in_example = line.starts_with("    base_model:") || (in_example && line.starts_with("    "));
    if (in_example) examples.back() += line.substr(4) + "\n";
  }
  EXPECT_EQ(examples.size(), 2u);
  for (const std::string& example : examples) {
    EXPECT_NO_THROW(read_recipe(dir.write("r.yaml", example), {})) << example;
  }
}

}  // namespace
}  // namespace prescript
