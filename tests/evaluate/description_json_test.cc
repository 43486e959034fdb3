#include "evaluate/description_json.h"

#include <gtest/gtest.h>

#include "evaluate/small_evaluation.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

TEST(DescriptionJson, ReadsBackWhatWasWritten) {
  const EvaluationDescription description = small_evaluation().description;
  const std::string text = description_text(description);
  const EvaluationDescription read = parse_description(text, "evaluation.json");
  EXPECT_EQ(description_text(read), text);
  EXPECT_EQ(read.tasks[0].seed, UINT64_MAX);
  EXPECT_EQ(read.tasks[1].kind, TaskKind::kLongForm);
  EXPECT_EQ(read.systems[1].validation_loss[1].loss, 0.1);
  EXPECT_EQ(read.tasks[0].prompts[0].instruction, "Be brief.");
}

TEST(DescriptionJson, WhatMakesAnotherEvaluationOfItIsNamed) {
  const EvaluationDescription one = small_evaluation().description;
  const auto difference = [&](auto change) {
    EvaluationDescription other = one;
    change(other);
    return first_difference(one, other);
  };
  EXPECT_EQ(difference([](auto& d) { d.identity.recipe = "threads: 2"; }), "");
  EXPECT_EQ(difference([](auto& d) { d.identity.base_hash = "x"; }), "base_hash");
  EXPECT_EQ(difference([](auto& d) { d.settings.temperature = 1; }), "temperature");
  EXPECT_EQ(difference([](auto& d) { d.systems[1].hash = "x"; }), "adapters.demo");
  EXPECT_EQ(difference([](auto& d) { d.systems.pop_back(); }), "adapters");
  EXPECT_EQ(difference([](auto& d) { d.tasks[0].sha256 = "x"; }), "tasks.quiz: sha256");
  EXPECT_EQ(difference([](auto& d) { d.tasks.pop_back(); }), "tasks");
}

TEST(DescriptionJson, DamageIsRefused) {
  for (const char* text : {"", "{}", "[]", "{\"identity\": {}}"}) {
    expect_input_error(
        ExitCode::kData, "evaluation.json", [&] { parse_description(text, "evaluation.json"); });
  }
}

}  // namespace
}  // namespace prescript
