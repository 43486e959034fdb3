#include "infer/adapter_set.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "support/tiny_base.h"

namespace prescript {
namespace {

TEST(AdapterSet, NumbersAdaptersInOrderAndFindsThemByName) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  adapters.add("first", tiny_adapter(3, 1));
  adapters.add("second", tiny_adapter(5, 2, PromptPosition::kBeforeQuestion));
  EXPECT_EQ(adapters.size(), 2);
  EXPECT_EQ(adapters.find("second"), 1);
  EXPECT_EQ(adapters.find("third"), std::nullopt);
  EXPECT_EQ(adapters.name(0), "first");
  EXPECT_EQ(adapters.prompts_PD()[1].rows, 5);
  EXPECT_THROW(adapters.add("first", tiny_adapter(3, 1)), ContractError);
}

TEST(AdapterSet, OnlyAnAdapterAtTheStartIsARoot) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  AdapterSet adapters(base.decoder());
  adapters.add("inside", tiny_adapter(3, 1, PromptPosition::kBeforeQuestion));
  adapters.add("start", tiny_adapter(5, 2));
  ASSERT_EQ(adapters.roots().size(), 1U);
  EXPECT_EQ(adapters.roots()[0].size(), 5U);
  EXPECT_EQ(adapters.roots()[0][4], Row::virtual_token(1, 4));
  EXPECT_EQ(adapters.rows_computed(), 5);
}

TEST(AdapterSet, AnAdapterAsLongAsTheContextIsRefused) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32, {.max_positions = 8});
  AdapterSet adapters(base.decoder());
  EXPECT_NO_THROW(adapters.add("fits", tiny_adapter(7, 1)));
  expect_input_error(
      ExitCode::kModel, "leave no room", [&] { adapters.add("long", tiny_adapter(8, 1)); });
}

}  // namespace
}  // namespace prescript
