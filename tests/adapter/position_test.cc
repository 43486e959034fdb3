#include "adapter/position.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace prescript {
namespace {

TEST(Position, NamesAreThoseOfRecipesAndReadBack) {
  EXPECT_STREQ(name_of(PromptPosition::kStart), "start");
  EXPECT_STREQ(name_of(PromptPosition::kAfterBos), "after_bos");
  EXPECT_STREQ(name_of(PromptPosition::kBeforeQuestion), "before_question");
  EXPECT_EQ(position_of("after_bos", "x"), PromptPosition::kAfterBos);
  expect_input_error(
      ExitCode::kModel, "some/place: position \"end\"", [] { position_of("end", "some/place"); });
}

}  // namespace
}  // namespace prescript
