#pragma once
// Assertions about the errors that users see.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "base/error.h"

namespace prescript {

/// Expects `action` to throw InputError with this code and a message that contains `part`.
template <typename Action>
void expect_input_error(ExitCode code, std::string_view part, const Action& action) {
  try {
    action();
  } catch (const InputError& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos)
        << "message: " << error.what() << "\nlacks: " << part;
    return;
  }
  ADD_FAILURE() << "no error; expected one with: " << part;
}

}  // namespace prescript
