#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Error, AViolatedContractNamesExpressionPlaceAndValues) {
  int evaluated = 0;
  const auto message = [&] {
    ++evaluated;
    return std::string("rows 3 of 2");
  };
  PRESCRIPT_CHECK(2 > 1, message());
  EXPECT_EQ(evaluated, 0) << "the message is built on failure only";
  try {
    PRESCRIPT_CHECK(1 > 2, message());
    FAIL() << "no exception";
  } catch (const ContractError& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("rows 3 of 2 [1 > 2 at error_test.cc:"));
  }
}

TEST(Error, ExitCodesAreThePublicOnes) {
  EXPECT_EQ(static_cast<int>(InputError(ExitCode::kUsage, "").code()), 2);
  EXPECT_EQ(static_cast<int>(InputError(ExitCode::kData, "").code()), 3);
  EXPECT_EQ(static_cast<int>(InputError(ExitCode::kModel, "").code()), 4);
  EXPECT_EQ(static_cast<int>(DeviceError("").code()), 5);
  EXPECT_EQ(static_cast<int>(ExitCode::kNotFinite), 6);
  EXPECT_EQ(static_cast<int>(ExitCode::kDistributed), 7);
  EXPECT_EQ(static_cast<int>(ExitCode::kPreempted), 75);
}

}  // namespace
}  // namespace prescript
