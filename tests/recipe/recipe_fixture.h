#pragma once
// Recipes read from text, as users write them.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "recipe/recipe.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {

/// What every recipe needs; on lines of its own.
inline constexpr const char* kRequired = "base_model: m.gguf\ndata.train: t.jsonl\noutput: out\n";

/// What a search needs.
inline constexpr const char* kSearched =
    "base_model: m.gguf\ndata: {train: t.jsonl, validation: v.jsonl}\noutput: out\n";

class RecipeTest : public testing::Test {
 protected:
  Recipe read(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return read_recipe(dir_.write("r.yaml", text), overrides);
  }
  Recipe with(const std::vector<std::string>& overrides) const {
    return read(kRequired, overrides);
  }

  void expect_error(const std::string& part,
                    const std::string& text,
                    const std::vector<std::string>& overrides = {}) const {
    SCOPED_TRACE(text);
    expect_input_error(ExitCode::kUsage, part, [&] { read(text, overrides); });
  }

  TemporaryDirectory dir_;
};

}  // namespace prescript
