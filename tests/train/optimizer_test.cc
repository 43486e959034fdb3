#include "train/optimizer.h"

#include <gtest/gtest.h>

namespace prescript {
namespace {

using Floats = std::vector<float>;

TEST(Norm, IsOfAllElements) {
  EXPECT_EQ(norm_of(Floats{3, 0, -4}), 5);
  EXPECT_EQ(norm_of({}), 0);
}

TEST(Clipping, ScalesDownToTheNormAndNeverUp) {
  Floats gradient = {3, 4};
  clip_to_norm(gradient, norm_of(gradient), 1);
  EXPECT_NEAR(norm_of(gradient), 1, 1e-7);
  EXPECT_FLOAT_EQ(gradient[0] / gradient[1], 0.75F);
  Floats small = {0.3F, 0.4F};
  clip_to_norm(small, norm_of(small), 1);
  EXPECT_EQ(small, (Floats{0.3F, 0.4F}));
  clip_to_norm(small, norm_of(small), 0);
  EXPECT_EQ(small, (Floats{0.3F, 0.4F})) << "0 is no clipping";
}

}  // namespace
}  // namespace prescript
