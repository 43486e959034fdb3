#include "recipe/nearest_path.h"

#include <gtest/gtest.h>

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
  for (const auto& [written, meant] : cases) EXPECT_EQ(nearest_path(written), meant);
}

TEST(NearestPath, FindsAKeyInAnotherGroup) {
  EXPECT_EQ(nearest_path("learning_rate"), "optimizer.learning_rate");
  EXPECT_EQ(nearest_path("steps"), "training.steps");
  EXPECT_EQ(nearest_path("training.few_shot"), "data.few_shot");
  EXPECT_EQ(nearest_path("format"), "data.format");
  EXPECT_EQ(nearest_path("soft_prompt.from"), "soft_prompt.init.from");
}

TEST(NearestPath, AnyTextHasOne) {
  EXPECT_FALSE(nearest_path("").empty());
  EXPECT_FALSE(nearest_path("...").empty());
  EXPECT_FALSE(nearest_path(std::string(1 << 20, 'x')).empty());
}

}  // namespace
}  // namespace prescript
