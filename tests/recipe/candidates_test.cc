#include <gtest/gtest.h>

#include "recipe/recipe.h"

namespace prescript {
namespace {

TEST(Candidates, AreAllCombinationsLearningRatesOutermostSeedsInnermost) {
  Recipe recipe{.base_model = "m.gguf", .output = "out"};
  recipe.optimizer.weight_decay = 0.5;
  Recipe searched = recipe;
  searched.search = {.learning_rate = {{0.1, 0.03, 0.01}}, .seed = {{7, UINT64_MAX}}};
  const std::vector<Recipe> candidates = candidates_of(searched);
  ASSERT_EQ(candidates.size(), 6U);
  size_t i = 0;
  for (const double rate : {0.1, 0.03, 0.01}) {
    for (const uint64_t seed : {uint64_t{7}, UINT64_MAX}) {
      Recipe expected = recipe;
      expected.optimizer.learning_rate = rate;
      expected.training.seed = seed;
      EXPECT_EQ(candidates[i++], expected);
    }
  }
}

TEST(Candidates, OfOneListDifferInNothingElse) {
  Recipe recipe{.base_model = "m.gguf", .output = "out"};
  recipe.search.weight_decay = {{0.25}};
  const std::vector<Recipe> candidates = candidates_of(recipe);
  ASSERT_EQ(candidates.size(), 1U);
  EXPECT_EQ(candidates[0].optimizer.weight_decay, 0.25);
  EXPECT_EQ(candidates[0].optimizer.learning_rate, recipe.optimizer.learning_rate);
}

TEST(Candidates, WithoutASearchAreTheRecipeItself) {
  const Recipe recipe{.base_model = "m.gguf", .output = "out"};
  EXPECT_EQ(candidates_of(recipe), std::vector<Recipe>{recipe});
}

}  // namespace
}  // namespace prescript
