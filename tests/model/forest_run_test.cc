// What the way a step is cut, shared and kept may change: nothing but rounding.

#include "model/forest_run.h"

#include <optional>

#include <gtest/gtest.h>

#include "model/batch.h"
#include "support/tiny_decoder.h"
#include "support/tolerance.h"

namespace prescript {
namespace {

void expect_same_step(const StepResult& found, const StepResult& expected, bool in_float64) {
  EXPECT_LE(tolerance::norm_error(found.log_probs, expected.log_probs),
            tolerance::kScheduleLossFloat32);
  EXPECT_NEAR(found.loss / expected.loss, 1, tolerance::kScheduleLossFloat32);
  ASSERT_EQ(found.gradients.size(), expected.gradients.size());
  for (size_t p = 0; p < expected.gradients.size(); ++p) {
    EXPECT_LE(tolerance::norm_error(found.gradients[p].values, expected.gradients[p].values),
              in_float64 ? tolerance::kStepFloat64 : tolerance::kScheduleGradientFloat32)
        << "soft prompt " << p;
  }
}

void expect_same_bits(const StepResult& found, const StepResult& expected) {
  EXPECT_EQ(found.log_probs, expected.log_probs);
  for (size_t p = 0; p < expected.gradients.size(); ++p) {
    EXPECT_EQ(found.gradients[p].values, expected.gradients[p].values) << "soft prompt " << p;
  }
}

std::vector<Matrix> all_weights(Decoder& decoder) {
  FrozenWeights& weights = decoder.weights();
  Workbench bench(decoder.ops(), decoder.dtype());
  std::vector<Matrix> all = {bench.get(weights.final_norm_D())};
  for (int64_t layer = 0; layer < decoder.config().num_layers; ++layer) {
    for (const LayerVector which : vectors_of(decoder.config())) {
      all.push_back(bench.get(weights.vector(layer, which)));
    }
    for (const Projection which : projections_of(decoder.config(), layer)) {
      all.push_back(bench.get(weights.projection(layer, which)));
    }
  }
  weights.head_VD().for_ranges(
      [&](int64_t /*begin*/, const Weight& rows) { all.push_back(bench.get(rows)); });
  return all;
}

/// Sequences whose soft prompt is `prompt`, as a batch of that soft prompt alone.
Batch solo(const Batch& batch, int32_t prompt) {
  Batch result{.sequences = {}, .prompts = {batch.prompts[prompt]}};
  for (Sequence sequence : batch.sequences) {
    bool is_of_prompt = false;
    for (Row& row : sequence.rows) {
      if (row.soft_prompt != prompt) continue;
      row.soft_prompt = 0;
      is_of_prompt = true;
    }
    if (is_of_prompt) result.sequences.push_back(sequence);
  }
  return result;
}

/// On the reference and the float32 backend.
class ForestRunTest : public testing::TestWithParam<Backend> {
 protected:
  ForestRunTest()
      : weights_(random_llama(tiny_config())), decoder_(GetParam(), tiny_config(), weights_) {}

  bool in_float64() const { return GetParam().dtype == DType::kFloat64; }

  StepResult step(const Batch& batch, const StepOptions& options = {}) {
    return decoder_.differentiate(batch.sequences, batch.prompts, options);
  }

  MemoryTensors weights_;
  TinyDecoder decoder_;
};
INSTANTIATE_TEST_SUITE_P(Every,
                         ForestRunTest,
                         testing::Values(backends()[0], backends()[1]),
                         testing::PrintToStringParamName());

TEST_P(ForestRunTest, SharingChangesAStepByRoundingOnly) {
  for (const Position position :
       {Position::kStart, Position::kAfterBos, Position::kBeforeQuestion}) {
    const Batch batch = three_level_batch({.position = position});
    const StepResult unshared = step(batch, {.forest = {.share = false}});
    EXPECT_EQ(unshared.rows_computed, num_unshared_rows(batch.sequences));
    for (const int64_t min_saved_rows : {1, 8, 20}) {
      const StepResult shared = step(batch, {.forest = {.min_saved_rows = min_saved_rows}});
      EXPECT_LT(shared.rows_computed, unshared.rows_computed);
      expect_same_step(shared, unshared, in_float64());
    }
  }
}

TEST_P(ForestRunTest, TheSizeOfAPassChangesAStepByRoundingOnly) {
  const Batch batch = three_level_batch({.position = Position::kBeforeQuestion});
  const StepResult whole = step(batch);
  for (const int64_t max_rows : {1, 9, 25, 60, 100}) {
    for (const bool share : {true, false}) {
      const StepResult cut =
          step(batch, {.forest = {.share = share}, .plan = {.max_rows = max_rows}});
      expect_same_step(cut, whole, in_float64());
      EXPECT_TRUE(!share || cut.rows_computed == whole.rows_computed);
    }
  }
}

TEST_P(ForestRunTest, SoftPromptsSideBySideEqualTheirSoloRuns) {
  for (const Position position : {Position::kStart, Position::kBeforeQuestion}) {
    const Batch batch = three_level_batch({.position = position, .prompt_sizes = {3, 5, 1}});
    for (const int64_t max_rows :
         {20, 40, 1000}) {  // trees one by one, some together, all together
      const StepResult together = step(batch, {.forest = {}, .plan = {.max_rows = max_rows}});
      double loss = 0;
      for (int32_t p = 0; p < 3; ++p) {
        const StepResult alone = step(solo(batch, p));
        loss += alone.loss;
        EXPECT_LE(tolerance::norm_error(together.gradients[p].values, alone.gradients[0].values),
                  in_float64() ? tolerance::kStepFloat64 : tolerance::kScheduleGradientFloat32);
      }
      EXPECT_NEAR(together.loss / loss, 1, tolerance::kScheduleLossFloat32);
    }
  }
}

TEST_P(ForestRunTest, RecomputingAnyNumberOfLayersGivesTheSameBits) {
  for (const int64_t max_rows : {30, 1000}) {
    const Batch batch = three_level_batch();
    const StepResult all = step(batch, {.forest = {}, .plan = {.max_rows = max_rows}});
    for (const int64_t kept_layers : {0, 1, 2, 3, 4}) {
      expect_same_bits(
          step(batch, {.forest = {}, .plan = {.max_rows = max_rows, .kept_layers = kept_layers}}),
          all);
    }
  }
}

TEST_P(ForestRunTest, PassesThatGoThroughALayerTogetherGiveTheBitsOfThoseThatGoAlone) {
  const Batch batch = three_level_batch();
  for (const int64_t kept_layers : {0, 2}) {
    RunPlan plan{.max_rows = 30, .kept_layers = kept_layers};
    const StepResult alone = step(batch, {.forest = {}, .plan = plan});
    for (const int64_t rows : {1, 65, 1000}) {  // groups of one pass, of some, of all
      plan.rows_together = rows;
      const StepOptions options{.forest = {}, .plan = plan};
      expect_same_bits(step(batch, options), alone);
      EXPECT_EQ(decoder_.score(batch.sequences, batch.prompts, options).log_probs, alone.log_probs);
    }
  }
}

TEST_P(ForestRunTest, StreamedWeightsGiveTheBitsOfThoseInMemory) {
  const Batch batch = three_level_batch();
  TinyDecoder streamed(GetParam(), tiny_config(), weights_, WeightFormat::kStreamed);
  StepOptions options{.forest = {}, .plan = {.max_rows = 30, .kept_layers = 1}};
  const StepResult in_memory = step(batch, options);
  for (const int64_t rows : {0, 1000}) {  // each pass by itself, and all together
    options.plan.rows_together = rows;
    for (int turn = 0; turn < 2; ++turn) {  // the second begins with what the first has left
      expect_same_bits(streamed.differentiate(batch.sequences, batch.prompts, options), in_memory);
    }
    EXPECT_EQ(streamed.score(batch.sequences, batch.prompts, options).log_probs,
              in_memory.log_probs);
  }
}

TEST_P(ForestRunTest, ScoringGivesTheLogProbabilitiesOfTraining) {
  const Batch batch = three_level_batch();
  for (const int64_t max_rows : {30, 1000}) {
    const StepOptions options{.forest = {}, .plan = {.max_rows = max_rows}};
    EXPECT_EQ(decoder_.score(batch.sequences, batch.prompts, options).log_probs,
              step(batch, options).log_probs);
  }
}

TEST_P(ForestRunTest, TheSameStepGivesTheSameBits) {
  const Batch batch = three_level_batch();
  const StepOptions options{.forest = {}, .plan = {.max_rows = 40}};
  const StepResult first = step(batch, options);
  expect_same_bits(step(batch, options), first);
  TinyDecoder anew(GetParam(), tiny_config(), weights_);
  expect_same_bits(anew.differentiate(batch.sequences, batch.prompts, options), first);
}

TEST(ForestRun, BitsDoNotDependOnTheNumberOfThreads) {
  const MemoryTensors weights = random_llama(tiny_config());
  const Batch batch = three_level_batch({});
  const StepOptions options{.forest = {}, .plan = {.max_rows = 40}};
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    std::optional<StepResult> first;
    for (const auto make : {+[] { return make_cpu_ops(1); },
                            +[] { return make_cpu_ops(2); },
                            +[] { return make_cpu_ops(5); }}) {
      TinyDecoder tiny({"threads", make, dtype}, tiny_config(), weights);
      const StepResult result = tiny.differentiate(batch.sequences, batch.prompts, options);
      if (!first) first = result;
      expect_same_bits(result, *first);
    }
  }
}

TEST_P(ForestRunTest, GradientsReachTheSoftPromptsOfTheStepOnly) {
  Batch batch = three_level_batch({.position = Position::kBeforeQuestion});
  batch.prompts.push_back(random_matrix(2, 32, "of no sequence"));
  const std::vector<Matrix> before = all_weights(decoder_.decoder());
  const StepResult result = step(batch, {.forest = {}, .plan = {.max_rows = 30}});
  const std::vector<Matrix> after = all_weights(decoder_.decoder());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i].values, before[i].values);
  EXPECT_EQ(result.gradients[2].values, Matrix(2, 32).values);
  for (size_t p = 0; p < 2; ++p) {
    for (int64_t r = 0; r < batch.prompts[p].rows; ++r) {
      const Matrix row = result.gradients[p].row_range(r, 1);
      EXPECT_NE(row.values, Matrix(1, 32).values) << "a virtual token without a gradient";
    }
  }
}

TEST_P(ForestRunTest, GradientsAreAdded) {
  const Batch batch = three_level_batch({.prompt_sizes = {4}});
  Workbench bench(decoder_.decoder().ops(), GetParam().dtype);
  const std::vector<Tensor> prompts = {bench.put(batch.prompts[0], bench.sums())};
  const std::vector<Tensor> gradients = {bench.put(Matrix(4, 32, 1), bench.sums())};
  const Forest forest = build_forest(batch.sequences, {}, {});
  differentiate_forest(decoder_.decoder(), forest, {}, prompts, {}, gradients);
  Matrix found = bench.get(gradients[0]);
  for (double& value : found.values) value -= 1;
  EXPECT_LE(tolerance::norm_error(found.values, step(batch).gradients[0].values),
            tolerance::kScheduleGradientFloat32);
}

TEST_P(ForestRunTest, AGivenRunIsNotComputedAndChangesAStepByRoundingOnly) {
  const Batch batch = three_level_batch({.position = Position::kBeforeQuestion});
  const auto& rows = batch.sequences[0].rows;
  const std::vector<Row> instruction(rows.begin(), rows.begin() + 12);
  const StepResult computed = step(batch);
  for (const int64_t max_rows : {1, 7, 30, 1000}) {
    const StepResult found =
        step(batch, {.forest = {}, .plan = {.max_rows = max_rows}, .given = {instruction}});
    expect_same_step(found, computed, in_float64());
    EXPECT_EQ(found.rows_computed, computed.rows_computed - 12);
  }
}

TEST_P(ForestRunTest, SeveralGivenRunsServeEachItsOwnSequences) {
  // As a set of adapters does: each soft prompt a root computed once.
  const Batch batch = three_level_batch({.prompt_sizes = {3, 5}});
  std::vector<std::vector<Row>> given(2);
  for (int32_t p = 0; p < 2; ++p) {
    for (int32_t i = 0; i < batch.prompts[p].rows; ++i) {
      given[p].push_back(Row::virtual_token(p, i));
    }
  }
  const StepResult computed = decoder_.score(batch.sequences, batch.prompts);
  const StepResult found =
      decoder_.score(batch.sequences, batch.prompts, {.forest = {}, .plan = {}, .given = given});
  EXPECT_LE(tolerance::norm_error(found.log_probs, computed.log_probs),
            tolerance::kScheduleLossFloat32);
  EXPECT_EQ(found.rows_computed, computed.rows_computed - 3 - 5);
}

TEST_P(ForestRunTest, AStepComputesTheRowsThatAHandCounts) {
  // Two soft prompts (3 and 5 rows), an instruction of 12; below each question A (9) with answers
  // of 1, 4 and 7 tokens and question B (15) with one of 20. Rows stop before the last target.
  std::vector<Sequence> sequences;
  std::vector<Matrix> prompts;
  const auto append = [](Sequence& sequence, int32_t first, int32_t count) {
    for (int32_t i = 0; i < count; ++i) sequence.rows.push_back(Row::token((first + i) % 61));
  };
  for (const int32_t P : {3, 5}) {
    const auto prompt = static_cast<int32_t>(prompts.size());
    prompts.push_back(random_matrix(P, 32, "prompt"));
    int32_t answer_token = 40;
    for (const auto& [question_token, question, answer] : {std::tuple{20, 9, 1},
                                                           std::tuple{20, 9, 4},
                                                           std::tuple{20, 9, 7},
                                                           std::tuple{30, 15, 20}}) {
      Sequence sequence;
      for (int32_t i = 0; i < P; ++i) {
        sequence.rows.push_back(Row::virtual_token(prompt, i));
      }
      append(sequence, 0, 12);
      append(sequence, question_token, question);
      for (int32_t i = 0; i < answer; ++i) {
        sequence.target_positions.push_back(static_cast<int32_t>(sequence.rows.size()) + i);
      }
      append(sequence, answer_token++, answer);
      sequences.push_back(sequence);
    }
  }
  const int64_t below = 12 + (9 + 0 + 3 + 6) + (15 + 19);
  const Batch batch{sequences, prompts};
  EXPECT_EQ(step(batch).rows_computed, (3 + below) + (5 + below));
  EXPECT_EQ(step(batch, {.forest = {.share = false}}).rows_computed,
            2 * (3 * (12 + 9) + 0 + 3 + 6 + 12 + 15 + 19) + 4 * (3 + 5));
}

TEST(ForestRun, KeyValuesOfNoRowsAreRefused) {
  TinyDecoder decoder(backends()[0], tiny_config(), random_llama(tiny_config()));
  EXPECT_THROW(compute_key_values(decoder.decoder(), {}, 1, {}), ContractError);
}

/// Two sequences of 5 shared rows, 8 rows of their own and a target each.
Forest two_branches() {
  std::vector<Sequence> sequences(2);
  for (int32_t s = 0; s < 2; ++s) {
    for (int32_t i = 0; i < 5; ++i) sequences[s].rows.push_back(Row::virtual_token(0, i));
    for (int32_t i = 0; i < 9; ++i) sequences[s].rows.push_back(Row::token(i + 10 * s));
    sequences[s].target_positions = {13};
  }
  return build_forest(sequences, {}, {.min_saved_rows = 1});
}

TEST(ForestRun, HoldsTheFirstPassAndTheLargestOther) {
  const auto ops = make_cpu_ops(2);
  const DecoderConfig c = tiny_config();
  const Schedule schedule = make_schedule(two_branches(), 8);
  ASSERT_EQ(schedule.passes.size(), 3U);  // the shared rows, and each branch
  const auto bytes = [&](int64_t rows, int64_t targets, const KeepPlan& keep) {
    return PassRun::bytes(*ops, c, DType::kBFloat16, rows, targets, targets, keep).total();
  };
  const KeepPlan kept{Keep::kActivations, 2};
  const ForestBytes training =
      forest_bytes(*ops, c, DType::kBFloat16, schedule, {.kept_layers = 2}, true);
  EXPECT_EQ(training.activations.small, bytes(5, 0, kept) + bytes(8, 1, kept));
  EXPECT_EQ(training.activations.large, 0U);
  // K and V of 5 rows in 3 layers, in bfloat16 and their gradients in float64.
  EXPECT_EQ(training.key_values.total(),
            KeyValueRun::bytes(c, DType::kBFloat16, 5) + KeyValueRun::bytes(c, DType::kFloat64, 5));
  const ForestBytes scoring = forest_bytes(*ops, c, DType::kBFloat16, schedule, {}, false);
  EXPECT_EQ(scoring.activations.total(), bytes(8, 1, {}));
  EXPECT_EQ(scoring.key_values.total(), KeyValueRun::bytes(c, DType::kBFloat16, 5));
}

TEST(ForestRun, OfPassesTogetherHoldsWhatStaysOfEachAndTheScratchOfOne) {
  const auto ops = make_cpu_ops(2);
  const DecoderConfig c = tiny_config();
  const Schedule schedule = make_schedule(two_branches(), 8);  // passes of 5, 8 and 8 rows
  const auto bytes = [&](int64_t rows, int64_t targets, const KeepPlan& keep) {
    return PassRun::bytes(*ops, c, DType::kBFloat16, rows, targets, targets, keep);
  };
  const KeepPlan kept{Keep::kActivations, 1};
  const auto training = [&](int64_t rows_together) {
    const RunPlan plan{.max_rows = 8, .kept_layers = 1, .rows_together = rows_together};
    return forest_bytes(*ops, c, DType::kBFloat16, schedule, plan, true).activations.total();
  };
  const size_t first_and_scratch = bytes(5, 0, kept).own + bytes(8, 1, kept).scratch;
  EXPECT_EQ(training(21), first_and_scratch + 2 * bytes(8, 1, kept).own);
  EXPECT_EQ(training(13), first_and_scratch + bytes(8, 1, kept).own);
  EXPECT_EQ(num_ways_through(schedule, {.rows_together = 21}), 1);
  EXPECT_EQ(num_ways_through(schedule, {.rows_together = 13}), 2);
  EXPECT_EQ(num_ways_through(schedule, {}), 3);
  const RunPlan all{.max_rows = 8, .rows_together = 21};
  const ForestBytes scoring = forest_bytes(*ops, c, DType::kBFloat16, schedule, all, false);
  EXPECT_EQ(scoring.activations.total(),
            bytes(5, 0, {}).own + 2 * bytes(8, 1, {}).own + bytes(8, 1, {}).scratch);
}

TEST(ForestRun, SmallAndLargeBlocksDoNotServeEachOther) {
  constexpr size_t kMega = size_t{1} << 20;
  BlockBytes blocks;
  blocks.add(kMega);
  blocks.add(100 * kMega);
  blocks.add(31 * kMega);
  EXPECT_EQ(blocks.small, 32 * kMega);
  EXPECT_EQ(blocks.large, 100 * kMega);
  BlockBytes other;
  other.add(200 * kMega);
  blocks.raise_to(other);
  EXPECT_EQ(blocks.total(), 232 * kMega);
}

TEST(ForestRun, TrainingTakesTwoPassesAndTheirSharedRun) {
  const auto ops = make_cpu_ops(2);
  const DecoderConfig c = tiny_config();
  for (const int64_t kept : {0, 1, 3}) {
    const size_t pass =
        PassRun::bytes(*ops, c, DType::kBFloat16, 64, 64, 64, {Keep::kActivations, kept}).total();
    // K and V of 64 rows in 3 layers, in bfloat16 and their gradients in float64.
    const size_t shared = 3 * 2 * 64 * 16 * (2 + 8);
    EXPECT_EQ(training_bytes(*ops, c, DType::kBFloat16, {.max_rows = 64, .kept_layers = kept}),
              2 * pass + shared);
  }
  EXPECT_EQ(training_bytes(*ops, c, DType::kFloat32, {.max_rows = 64}),
            training_bytes(*ops, c, DType::kFloat32, {.max_rows = 64, .kept_layers = 3}));
}

TEST(ForestRun, OfStepsSmallerThanAPassTrainingTakesThoseAndAPassThatScores) {
  const auto ops = make_cpu_ops(2);
  const DecoderConfig c = tiny_config();
  const Schedule step = make_schedule(two_branches(), 64);  // one pass of 21 rows
  for (const int64_t kept : {0, 3}) {
    const RunPlan plan{.max_rows = 64, .kept_layers = kept};
    const ForestBytes real = forest_bytes(*ops, c, DType::kBFloat16, step, plan, true);
    const size_t told = training_bytes(*ops, c, DType::kBFloat16, plan, {.trained = 21});
    EXPECT_GE(told, real.activations.total() + real.key_values.total());
    EXPECT_GE(told, PassRun::bytes(*ops, c, DType::kBFloat16, 64, 64, 64, {}).total());
    EXPECT_LT(told, training_bytes(*ops, c, DType::kBFloat16, plan, {.trained = 64}));
    // Of 84 rows the second pass has 20.
    EXPECT_LT(training_bytes(*ops, c, DType::kBFloat16, plan, {.trained = 84}),
              training_bytes(*ops, c, DType::kBFloat16, plan));
    EXPECT_EQ(training_bytes(*ops, c, DType::kBFloat16, plan, {.trained = 128}),
              training_bytes(*ops, c, DType::kBFloat16, plan));
    const RunPlan wide{.max_rows = int64_t{1} << 40, .kept_layers = kept};
    EXPECT_EQ(training_bytes(*ops, c, DType::kBFloat16, wide, {.trained = 21, .scored = 64}), told)
        << "no pass has more rows than there are";
  }
}

}  // namespace
}  // namespace prescript
