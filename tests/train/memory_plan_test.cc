#include "train/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/frozen_weights.h"

namespace prescript {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr DType kDType = DType::kBFloat16;
constexpr WeightFormat kConverted = WeightFormat::kConverted;
constexpr ProcessMemory kProcess{
    .resident = 10'000'000, .model_file = 20'000'000, .num_threads = 2};

class MemoryPlan : public testing::Test {
 protected:
  RunPlan plan(uint64_t bytes,
               std::optional<int64_t> max_rows = {},
               const HeldRows& held = {}) const {
    return plan_memory(run(*ops_, held), bytes, max_rows);
  }

  RunMemory run(const BackendTraits& ops, const HeldRows& held = {}) const {
    return {.ops = ops,
            .config = config_,
            .dtype = kDType,
            .format = kConverted,
            .process = kProcess,
            .held = held};
  }

  uint64_t needed(int64_t rows, int64_t kept_layers) const {
    const auto most_pairs = static_cast<double>(rows * rows);
    return 30'000'000 + weight_bytes(*ops_, config_, kDType, kConverted) +
           scratch_bytes(config_, kDType, 2, {.rows = rows, .targets = rows, .pairs = most_pairs}) +
           training_bytes(*ops_, config_, kDType, {.max_rows = rows, .kept_layers = kept_layers});
  }

  std::unique_ptr<Ops> ops_ = make_cpu_ops(1);
  DecoderConfig config_{.family = "llama",
                        .vocabulary_size = 1000,
                        .hidden_size = 64,
                        .feed_forward_size = 128,
                        .num_layers = 6,
                        .num_heads = 4,
                        .num_kv_heads = 2,
                        .head_size = 16,
                        .rotary_size = 16,
                        .max_positions = 512,
                        .norm_epsilon = 1e-5,
                        .rope = {.theta = 10000},
                        .tied_head = true};
};

TEST_F(MemoryPlan, TakesTheMostRowsThatFitWithEveryActivationKept) {
  for (const int64_t rows : {2048, 1024}) {
    const RunPlan found = plan(needed(rows, 6));
    EXPECT_EQ(found.max_rows, rows);
    EXPECT_EQ(found.kept_layers, 6);
  }
  EXPECT_EQ(plan(uint64_t{1} << 40).max_rows, 2048);
}

TEST_F(MemoryPlan, RecomputesInPassesThatStayEfficientBeforeItMakesThemSmaller) {
  const RunPlan found = plan(needed(1024, 6) - 1);
  EXPECT_EQ(found.max_rows, 1024);
  EXPECT_LT(found.kept_layers, 6);
  EXPECT_GT(found.kept_layers, 0);
}

TEST_F(MemoryPlan, LessMemoryNeverMeansMoreRowsAndAlwaysFits) {
  int64_t rows = 2048;
  int64_t plans_with_recomputation = 0;
  const uint64_t least = needed(256, 0);
  for (uint64_t bytes = needed(2048, 6) + 1; bytes >= least; bytes -= (bytes - least) / 40 + 1) {
    const RunPlan found = plan(bytes);
    EXPECT_LE(needed(found.max_rows, found.kept_layers), bytes);
    EXPECT_LE(found.max_rows, rows);
    if (found.kept_layers < 6) {
      ++plans_with_recomputation;
      EXPECT_GT(needed(found.max_rows, found.kept_layers + 1), bytes) << "more could be kept";
    }
    rows = found.max_rows;
  }
  EXPECT_EQ(rows, 256);
  EXPECT_GT(plans_with_recomputation, 5);
}

TEST_F(MemoryPlan, OfSmallStepsKeepsEveryActivationInLess) {
  const RunMemory small = run(*ops_, {.most = {.trained = 30}});
  const uint64_t enough = needed_bytes(small, {.max_rows = 2048, .kept_layers = 6});
  EXPECT_LT(enough, needed(2048, 6) * 3 / 4);
  EXPECT_EQ(plan_memory(small, enough, {}).max_rows, 2048);
  EXPECT_EQ(plan_memory(small, enough, {}).kept_layers, 6);
}

TEST_F(MemoryPlan, OfPassesThatNothingFillsCountsTheRowsThatThereAre) {
  const RunMemory small = run(*ops_, {.most = {.trained = 30, .scored = 200}});
  const auto needed_at = [&](int64_t rows) {
    return needed_bytes(small, {.max_rows = rows, .kept_layers = 6});
  };
  EXPECT_LT(needed_at(100), needed_at(200));
  EXPECT_EQ(needed_at(200), needed_at(1'000'000'000));
  EXPECT_EQ(needed_at(200), needed_at(2048));
}

TEST_F(MemoryPlan, OfPassesThatASequenceOverfillsCountsItsRows) {
  const RunMemory long_one =
      run(*ops_, {.most = {.trained = 500, .scored = 500, .undivided = 200}});
  const auto needed_at = [&](int64_t rows) {
    return needed_bytes(long_one, {.max_rows = rows, .kept_layers = 6});
  };
  EXPECT_EQ(needed_at(1), needed_at(200));
  EXPECT_LT(needed_at(200), needed_at(201));
}

TEST_F(MemoryPlan, WarnsOfMoreThanThereIs) {
  RunMemory large = run(*ops_);
  EXPECT_EQ(describe_excess(large, {.max_rows = 256}), std::nullopt);
  large.process.resident = uint64_t{1} << 60;
  EXPECT_THAT(describe_excess(large, {.max_rows = 256}).value(),
              AllOf(HasSubstr("training.memory_gb: it allows a run of up to 1.15"),
                    HasSubstr(" are free; lower it")));
}

std::string refusal(const RunMemory& memory, uint64_t bytes, std::optional<int64_t> rows) {
  try {
    plan_memory(memory, bytes, rows);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "it fits";
}

TEST_F(MemoryPlan, ALimitIsShownAsItWasSet) {
  RunMemory large = run(*ops_);
  large.process.resident = 5'000'000'000;
  for (const std::string gb : {"0.07", "0.14", "0.28", "0.29", "1.1", "1.12", "2"}) {
    const auto bytes = static_cast<uint64_t>(std::stod(gb) * 1e9);
    EXPECT_THAT(refusal(large, bytes, {}),
                testing::StartsWith("training.memory_gb: " + gb + " GB is too little"));
  }
}

TEST_F(MemoryPlan, OffersOnlyWhatHelps) {
  RunMemory memory = run(*ops_);
  EXPECT_THAT(refusal(memory, 1'000'000, {}),
              testing::EndsWith("; close other programs, or use a smaller base model"));
  memory.is_limit_set = true;
  EXPECT_THAT(refusal(memory, 1'000'000, 200),
              testing::EndsWith("; raise it, or use a smaller base model"));
  EXPECT_THAT(refusal(memory, 1'000'000, 2000),
              HasSubstr("raise it, lower training.micro_batch_tokens (of a new run), or "));
  memory.held.most.undivided = 3000;
  EXPECT_THAT(refusal(memory, 1'000'000, 2000),
              HasSubstr("raise it, shorten the longest exemplar, whose 3000 rows are never "));
  memory.held.most.undivided = 1;
  // Half of the weights is enough where they are streamed.
  memory.config.num_layers = 100;
  const uint64_t enough = needed_bytes(memory, least_plan({})) -
                          weight_bytes(*ops_, memory.config, kDType, kConverted) / 2;
  EXPECT_THAT(refusal(memory, enough, {}), HasSubstr(", set weights.residence: streamed, or "));
}

TEST_F(MemoryPlan, KeepsTheRowsThatWereAskedFor) {
  for (const int64_t rows : {10000, 300, 1}) {
    const RunPlan all = plan(needed(rows, 6), rows);
    EXPECT_EQ(all.max_rows, rows);
    EXPECT_EQ(all.kept_layers, 6);
    const RunPlan none = plan(needed(rows, 0), rows);
    EXPECT_EQ(none.max_rows, rows);
    EXPECT_EQ(none.kept_layers, 0);
  }
}

TEST_F(MemoryPlan, TheHeadStartsKeysAndValuesAreInIt) {
  // K and V of 500 rows in 6 layers, 2 heads of 16 numbers, in bfloat16.
  const uint64_t head_start = 500 * 6 * 2 * 2 * 16 * 2;
  EXPECT_EQ(plan(needed(2048, 6) + head_start, {}, {.head_start = 500}).max_rows, 2048);
  EXPECT_LT(plan(needed(2048, 6) + head_start - 1, {}, {.head_start = 500}).max_rows, 2048);
}

TEST_F(MemoryPlan, SoIsWhatEachCandidateHolds) {
  // 30 candidates of 100 virtual tokens, 64 numbers each, 19 times in float32.
  const uint64_t candidates = 30 * 100 * 64 * 4 * 19;
  EXPECT_EQ(plan(needed(2048, 6) + candidates, {}, {.virtual_tokens = 3000}).max_rows, 2048);
  EXPECT_LT(plan(needed(2048, 6) + candidates - 1, {}, {.virtual_tokens = 3000}).max_rows, 2048);
}

TEST_F(MemoryPlan, AdafactorHoldsLess) {
  // Neither of two moments here, in the checkpoint and twice in its bytes: 11 times, not 19.
  const uint64_t candidates = 30 * 100 * 64 * 4 * 11;
  const HeldRows held{.virtual_tokens = 3000, .optimizer = OptimizerKind::kAdafactor};
  EXPECT_EQ(plan(needed(2048, 6) + candidates, {}, held).max_rows, 2048);
  EXPECT_LT(plan(needed(2048, 6) + candidates - 1, {}, held).max_rows, 2048);
}

TEST_F(MemoryPlan, WhatDoesNotFitIsExitFiveWithTheBreakdownAndTheLeastThatWould) {
  for (const std::optional<int64_t> rows :
       {std::optional<int64_t>(), std::optional<int64_t>(700)}) {
    try {
      plan(needed(rows.value_or(256), 0) - 1, rows);
      ADD_FAILURE() << "it fits";
    } catch (const DeviceError& error) {
      EXPECT_EQ(error.code(), ExitCode::kResources);
      const std::string message = error.what();
      EXPECT_THAT(message,
                  AllOf(HasSubstr("training.memory_gb: "),
                        HasSubstr(std::to_string(rows.value_or(256)) + " rows a pass"),
                        HasSubstr("process 0.01 GB, model file 0.02 GB, weights "),
                        HasSubstr(" GB, activations "),
                        HasSubstr(" GB, scratch 0.0")));
      const std::string before = " a pass ";
      const double gb = std::stod(message.substr(message.find(before) + before.size()));
      EXPECT_NO_THROW(plan(static_cast<uint64_t>(gb * 1e9), rows));
      EXPECT_LT(gb * 1e9, needed(rows.value_or(256), 0) * 1.5);
    }
  }
}

TEST_F(MemoryPlan, WeightsThatStayInTheirFileTakeTheirScratchOnly) {
  const uint64_t enough = needed(1024, 6) - weight_bytes(*ops_, config_, kDType, kConverted) +
                          weight_bytes(*ops_, config_, kDType, WeightFormat::kAsStored);
  EXPECT_LT(enough, needed(1024, 6));
  const auto as_stored = [&](uint64_t bytes) {
    RunMemory stored = run(*ops_);
    stored.format = WeightFormat::kAsStored;
    return plan_memory(stored, bytes, {});
  };
  EXPECT_EQ(as_stored(enough).max_rows, 1024);
  EXPECT_EQ(as_stored(enough).kept_layers, 6);
  EXPECT_LT(as_stored(enough - 1).kept_layers, 6);
}

TEST_F(MemoryPlan, OfStreamedWeightsHoldsAStepsRowsTogetherWhereTheyFit) {
  RunMemory streamed = run(*ops_, {.most = {.trained = 5000}});
  streamed.format = WeightFormat::kStreamed;
  const auto at = [&](const RunPlan& plan) { return needed_bytes(streamed, plan); };
  EXPECT_LT(weight_bytes(*ops_, config_, kDType, WeightFormat::kStreamed),
            weight_bytes(*ops_, config_, kDType, kConverted) / 2);
  const RunPlan whole{.max_rows = 2048, .kept_layers = 6, .rows_together = 5000};
  const RunPlan found = plan_memory(streamed, at(whole), {});
  EXPECT_EQ(found.max_rows, 2048);
  EXPECT_EQ(found.kept_layers, 6);
  EXPECT_EQ(found.rows_together, 5000);
  // With less memory activations are computed again before weights are read again, ...
  const RunPlan none{.max_rows = 256, .kept_layers = 0, .rows_together = 5000};
  EXPECT_EQ(plan_memory(streamed, at(none), {}).rows_together, 5000);
  EXPECT_EQ(plan_memory(streamed, at(none), {}).kept_layers, 0);
  // ... and with still less, weights are.
  const RunPlan less = plan_memory(streamed, at(none) - 1, {});
  EXPECT_EQ(less.rows_together, 2500);
  EXPECT_LE(at(less), at(none) - 1);
  EXPECT_GT(at({.max_rows = 256, .kept_layers = 0, .rows_together = 2500}),
            at({.max_rows = 256, .kept_layers = 0, .rows_together = 1250}));
  EXPECT_EQ(plan_memory(streamed, at(whole), 300).max_rows, 300);
  EXPECT_EQ(plan_memory(streamed, at({.max_rows = 256, .kept_layers = 0}), {}).max_rows, 256);
  EXPECT_THROW(plan_memory(streamed, at({.max_rows = 256, .kept_layers = 0}) / 2, {}), DeviceError);
}

TEST(MostRowsOfStep, AreTheLongestExemplarsBehindWhatAllHaveInCommon) {
  TrainingData data;
  for (const int32_t length : {10, 30, 20}) {
    TrainingExemplar& exemplar = data.train.emplace_back();
    for (int32_t i = 0; i < length; ++i) {
      exemplar.rendered.ids.push_back(i < 4 ? i : 100 * length + i);
    }
  }
  EXPECT_EQ(most_rows_of_step(data, 2, 1, 5, true), 5 + 4 + 26 + 16);
  EXPECT_EQ(most_rows_of_step(data, 4, 1, 5, true), 5 + 4 + 26 + 16 + 6) << "an epoch ends";
  EXPECT_EQ(most_rows_of_step(data, 4, 1, 5, false), 35 + 25 + 15 + 35);
  EXPECT_EQ(most_rows_of_step(data, 2, 3, 5, true), 3 * (5 + 4 + 26 + 16));
  EXPECT_EQ(most_rows_of_step(data, 2, 1, 5, false), 35 + 25);
}

TEST(MostRowsOfValidation, AreThoseOfAllExemplarsOfEveryCandidate) {
  TrainingData data;
  for (const size_t length : {10, 30}) data.validation.emplace_back().rendered.ids.resize(length);
  EXPECT_EQ(most_rows_of_validation(data, 3, 5), 3 * (15 + 35));
  EXPECT_EQ(most_rows_of_validation({}, 3, 5), 0);
  data.train.emplace_back().rendered.ids.resize(20);
  EXPECT_EQ(rows_of_longest(data, 5), 35);
}

TEST_F(MemoryPlan, ScratchGrowsWithThreadsRowsTargetsAndPairsUpToABlock) {
  const ScratchExtents extents{.rows = 100, .targets = 10, .pairs = 1e4};
  const uint64_t bytes = scratch_bytes(config_, kDType, 1, extents);
  const auto more = [&](const ScratchExtents& other) {
    return scratch_bytes(config_, kDType, 1, other) - bytes;
  };
  // float32 and bfloat16 logits of one target more; attention's output of one row more.
  EXPECT_EQ(more({.rows = 100, .targets = 11, .pairs = 1e4}), 1000U * (4 + 2));
  EXPECT_EQ(more({.rows = 101, .targets = 10, .pairs = 1e4}), 64U * 4);
  // Scores and their gradients of one pair more, for the two query heads of a group.
  EXPECT_EQ(more({.rows = 100, .targets = 10, .pairs = 1e4 + 1}), 2U * 2 * 4);
  EXPECT_EQ(more({.rows = 100, .targets = 10, .pairs = 1e8}),
            more({.rows = 100, .targets = 10, .pairs = 1e9}));
  EXPECT_GT(scratch_bytes(config_, kDType, 2, extents), bytes);
}

/// A card of any size, of which nothing else is known.
class Card final : public BackendTraits {
 public:
  std::string_view name() const override { return "card"; }
  DType accumulate_dtype() const override { return DType::kFloat32; }
  DType kv_gradient_dtype() const override { return DType::kFloat32; }
  std::optional<DeviceMemory> device_memory() const override { return DeviceMemory{}; }
};

TEST_F(MemoryPlan, OfACardIsForItsMemoryAlone) {
  const Card card;
  const RunMemory on_card = run(card, {.head_start = 500, .virtual_tokens = 100});
  const RunPlan plan{.max_rows = 4096, .kept_layers = 6};
  // Neither the process nor the pages of the file; each virtual token with its gradient.
  EXPECT_EQ(needed_bytes(on_card, plan),
            weight_bytes(card, config_, kDType, kConverted) +
                training_bytes(card, config_, kDType, plan) + 500 * 6 * 2 * 2 * 16 * 2 +
                100 * 64 * 4 * 2 + card_scratch_bytes(config_));
  EXPECT_EQ(describe_needs(on_card, plan).find("process"), std::string::npos);
  EXPECT_GT(card_scratch_bytes(config_), 400'000'000U);
  EXPECT_LT(card_scratch_bytes(config_), 600'000'000U);
}

TEST_F(MemoryPlan, OfACardTakesLargerPasses) {
  const Card card;
  const RunMemory on_card = run(card);
  for (const int64_t rows : {16384, 8192, 4096, 2048, 1024}) {
    const RunPlan all{.max_rows = rows, .kept_layers = 6};
    const uint64_t bytes = needed_bytes(on_card, all);
    EXPECT_EQ(plan_memory(on_card, bytes, {}).max_rows, rows);
    EXPECT_EQ(plan_memory(on_card, bytes, {}).kept_layers, 6);
    EXPECT_EQ(plan_memory(on_card, bytes - 1, {}).max_rows, std::max<int64_t>(1024, rows / 2));
  }
  EXPECT_EQ(plan_memory(on_card, default_memory_bytes(DeviceMemory{}), {}).max_rows, 16384);
  EXPECT_EQ(plan_memory(on_card, UINT64_MAX, 300).max_rows, 300);
}

TEST_F(MemoryPlan, WhatDoesNotFitOnACardSaysSo) {
  const Card card;
  try {
    plan_memory(run(card), 400'000'000, {});
    ADD_FAILURE() << "it fits";
  } catch (const DeviceError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("training.memory_gb: 0.4 GB of the card is too little"),
                      HasSubstr(": weights "),
                      HasSubstr(", scratch 0.537 GB"),
                      HasSubstr("a larger card")));
  }
}

TEST_F(MemoryPlan, TheDefaultOfACardLeavesASixteenth) {
  EXPECT_EQ(default_memory_bytes(DeviceMemory{.total = 1600, .free = 800}), 750U);
}

TEST_F(MemoryPlan, TheDefaultLeavesAQuarter) {
  const uint64_t bytes = default_memory_bytes();
  EXPECT_GT(bytes, uint64_t{64} << 20);
  EXPECT_LT(bytes, uint64_t{1} << 50);
}

}  // namespace
}  // namespace prescript
