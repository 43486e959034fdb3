#include "adapter/deferral.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "adapter/small_adapter.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

AdapterDeferral small_deferral() {
  return {.vote_share = 0.1 + 0.2,
          .num_samples = 41,
          .temperature = 0.7,
          .max_new_tokens = 256,
          .hard_prompt = small_adapter().hard_prompt,
          .target_accuracy = 0.9,
          .accuracy = 0.92,
          .deferral_rate = 0.4,
          .num_questions = 100,
          .task = "medqa",
          .questions_sha256 = "abc"};
}

TEST(Deferral, GoesThroughTheFilesOfAnAdapter) {
  const TemporaryDirectory parent;
  Adapter adapter = small_adapter();
  EXPECT_FALSE(deferral_of(adapter, "place"));
  set_deferral(adapter, small_deferral());
  publish_adapter(adapter, parent / "a");
  const auto read = deferral_of(read_adapter(parent / "a"), "place");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->vote_share, 0.1 + 0.2);
  EXPECT_EQ(read->num_samples, 41);
  EXPECT_EQ(read->hard_prompt.instruction, small_adapter().hard_prompt.instruction);
  EXPECT_EQ(read->hard_prompt.few_shot_json, small_adapter().hard_prompt.few_shot_json);
  EXPECT_TRUE(read->hard_prompt.rationale);
  EXPECT_EQ(read->questions_sha256, "abc");
}

TEST(Deferral, IsTakenAwayWithoutATrace) {
  Adapter adapter = small_adapter();
  set_deferral(adapter, small_deferral());
  clear_deferral(adapter);
  EXPECT_EQ(adapter_files(adapter), adapter_files(small_adapter()));
}

TEST(Deferral, WhatNothingCouldHaveMeasuredIsRefused) {
  Adapter adapter = small_adapter();
  set_deferral(adapter, small_deferral());
  const std::string text = adapter.provenance.at("deferral");
  for (const auto& [key, value] : std::map<std::string, nlohmann::json>{{"vote_share", 1.5},
                                                                        {"num_samples", 0},
                                                                        {"temperature", 0},
                                                                        {"accuracy", -1},
                                                                        {"num_samples", 1e9},
                                                                        {"task", 3}}) {
    nlohmann::json changed = nlohmann::json::parse(text);
    changed[key] = value;
    adapter.provenance["deferral"] = changed.dump();
    expect_input_error(ExitCode::kModel, "place: deferral", [&] { deferral_of(adapter, "place"); });
  }
}

}  // namespace
}  // namespace prescript
