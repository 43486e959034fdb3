#include "recipe/nearest_path.h"

#include <gtest/gtest.h>

#include "recipe/schema.h"

namespace prescript {
namespace {

TEST(NearestPath, MendsSlips) {
  struct Case {
    const char* written;
    const char* meant;
  };
  const Case cases[] = {
      {"base_modle", "base_model"},
      {"model", "base_model"},
      {"training.step", "training.steps"},
      {"training.batchsize", "training.batch_size"},
      {"optimizer.lr_rate", "optimizer.learning_rate"},
      {"optimiser", "optimizer"},
      {"soft_promt.init", "soft_prompt.init"},
      {"soft_prompt.init.form", "soft_prompt.init.from"},
      {"dat.train", "data.train"},
      {"outptu", "output"},
  };
  for (const auto& [written, meant] : cases) EXPECT_EQ(nearest_path(written, recipe_keys()), meant);
}

TEST(NearestPath, FindsAKeyInAnotherGroup) {
  EXPECT_EQ(nearest_path("learning_rate", recipe_keys()), "optimizer.learning_rate");
  EXPECT_EQ(nearest_path("steps", recipe_keys()), "training.steps");
  EXPECT_EQ(nearest_path("training.few_shot", recipe_keys()), "data.few_shot");
  EXPECT_EQ(nearest_path("format", recipe_keys()), "data.format");
  EXPECT_EQ(nearest_path("soft_prompt.from", recipe_keys()), "soft_prompt.init.from");
}

TEST(NearestPath, AnyTextHasOne) {
  EXPECT_FALSE(nearest_path("", recipe_keys()).empty());
  EXPECT_FALSE(nearest_path("...", recipe_keys()).empty());
  EXPECT_FALSE(nearest_path(std::string(1 << 20, 'x'), recipe_keys()).empty());
}

}  // namespace
}  // namespace prescript
