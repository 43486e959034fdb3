// The examined run beside the run itself.

#include "train/run_work.h"

#include <gtest/gtest.h>

#include "support/tiny_base.h"
#include "train/batches.h"
#include "train/tiny_run.h"

namespace prescript {
namespace {

constexpr int64_t kP = 4;

class RunWorkOfTinyRun : public testing::Test {
 protected:
  RunWorkOfTinyRun() {
    const auto exemplars = tiny_exemplars();
    data_.train = {exemplars.begin(), exemplars.begin() + 3};
    data_.validation = {exemplars.begin() + 3, exemplars.end()};
  }

  RunWork examine(const StepOptions& step_options = {}) {
    Decoder& decoder = base_.decoder();
    return work_of_run(
        decoder.ops(), decoder.config(), decoder.dtype(), data_, kP, step_options, options_);
  }

  /// Takes the steps and validations, and compares what they report.
  void expect_counts_of_the_run(const StepOptions& step_options) {
    const RunWork work = examine(step_options);
    const auto num_candidates = std::ssize(options_.candidates);
    PromptedDecoder prompted(base_.decoder(), num_candidates, kP, step_options);
    const SoftPrompt prompt = tiny_prompt(kP);
    Work counted;
    for (int64_t step = 1; step <= 5; ++step) {
      std::vector<PromptedBatch> batches;
      for (const CandidateOptions& candidate : options_.candidates) {
        batches.push_back({.exemplars = {}, .prompt_PD = prompt.values_PD});
        for (const size_t index : batch_of_step(3, 2, candidate.seed, step)) {
          batches.back().exemplars.push_back(&data_.train[index]);
        }
      }
      const StepResult found = prompted.differentiate(batches);
      counted.rows_computed += static_cast<double>(found.rows_computed);
      counted.rows_unshared += static_cast<double>(found.rows_unshared);
      counted.rows_padded += static_cast<double>(found.rows_padded);
      counted.flops += found.flops;
    }
    EXPECT_EQ(work.num_steps_examined, 5);
    EXPECT_DOUBLE_EQ(work.step.rows_computed * 5, counted.rows_computed);
    EXPECT_DOUBLE_EQ(work.step.rows_unshared * 5, counted.rows_unshared);
    EXPECT_DOUBLE_EQ(work.step.rows_padded * 5, counted.rows_padded);
    EXPECT_DOUBLE_EQ(work.step.flops * 5, counted.flops);
    const double done = work.step.forward.flops.total() + work.step.backward.flops.total();
    EXPECT_DOUBLE_EQ(done, work.step.flops) << "nothing is recomputed";

    const auto validation = pointers(data_.validation);
    const std::vector<std::span<const float>> prompts_PD(num_candidates, prompt.values_PD);
    const std::span<const float> none;
    const double with_prompts = prompted.score(validation, prompts_PD).flops;
    EXPECT_DOUBLE_EQ(work.validation.flops, with_prompts);
    EXPECT_EQ(work.num_validations, 4) << "of steps 0, 2, 4 and 5";
    EXPECT_DOUBLE_EQ(
        work.whole.flops,
        counted.flops + 4 * with_prompts + prompted.score(validation, std::span(&none, 1)).flops);
  }

  TinyBase base_{make_cpu_ops(1), DType::kFloat32};
  TrainingData data_;
  TuneOptions options_{
      .candidates = {{.seed = 3}}, .schedule = {.steps = 5}, .batch_size = 2, .evaluate_every = 2};
};

TEST_F(RunWorkOfTinyRun, UnderPrivacyItIsTheExemplarsOneByOne) {
  const RunWork usual = examine();
  options_.privacy = {{.clip_norm = 1, .noise_multiplier = 1, .delta = 1e-3, .key = 1}};
  const RunWork work = examine();
  EXPECT_DOUBLE_EQ(work.step.rows_computed, work.step.rows_unshared);
  EXPECT_DOUBLE_EQ(work.step.rows_unshared, usual.step.rows_unshared);
  EXPECT_GT(work.step.rows_computed, usual.step.rows_computed);
  EXPECT_FALSE(work.first_step.passes.empty());
}

TEST_F(RunWorkOfTinyRun, CountsWhatTheRunCounts) {
  for (const StepOptions& step_options :
       {StepOptions{}, StepOptions{.share = false}, StepOptions{.plan = {.max_rows = 40}}}) {
    expect_counts_of_the_run(step_options);
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(RunWorkOfTinyRun, CandidatesOfASearchAreCountedSideBySide) {
  options_.candidates = {{.seed = 3}, {.seed = 4}, {.seed = 3}};
  expect_counts_of_the_run({});
  expect_counts_of_the_run({.plan = {.max_rows = 40}});
}

TEST_F(RunWorkOfTinyRun, AHeadStartIsComputedOnceAndHeld) {
  StepOptions step_options{.position = PromptPosition::kBeforeQuestion};
  const RunWork without = examine(step_options);
  const auto& ids = data_.train[0].rendered.ids;
  for (int i = 0; i < 10; ++i) step_options.head_start.push_back(Row::token(ids[i]));
  const RunWork with = examine(step_options);
  EXPECT_DOUBLE_EQ(with.step.rows_computed, without.step.rows_computed - 10);
  EXPECT_EQ(with.step.rows_unshared, without.step.rows_unshared);
  PromptedDecoder prompted(base_.decoder(), 1, kP, step_options);
  const SoftPrompt prompt = tiny_prompt(kP);
  const std::span<const float> prompt_PD = prompt.values_PD;
  EXPECT_DOUBLE_EQ(with.validation.flops,
                   prompted.score(pointers(data_.validation), std::span(&prompt_PD, 1)).flops);
  // Five steps and five validations save ten rows each; one pass computes them.
  EXPECT_DOUBLE_EQ(with.whole.rows_computed, without.whole.rows_computed - 10 * 10 + 10);
  EXPECT_EQ(with.whole.bytes.key_values.total(),
            KeyValueRun::bytes(base_.decoder().config(), DType::kFloat32, 10));
}

TEST_F(RunWorkOfTinyRun, OnlyTheBackwardRecomputes) {
  const RunWork all = examine();
  const RunWork none = examine({.plan = {.kept_layers = 0}});
  // The tiny model has one layer beside the last.
  EXPECT_EQ(none.step.flops, all.step.flops);
  EXPECT_EQ(none.step.rows_computed, all.step.rows_computed);
  EXPECT_DOUBLE_EQ(none.step.forward.row_layers - all.step.forward.row_layers,
                   all.step.rows_computed);
  EXPECT_GT(none.step.forward.flops.products, all.step.forward.flops.products);
  // Half of the layers' weights, in each of the steps' one pass.
  EXPECT_DOUBLE_EQ(none.step.laid_out - all.step.laid_out,
                   static_cast<double>(base_.decoder().config().num_layer_parameters()) / 2);
  EXPECT_EQ(none.step.backward.flops.total(), all.step.backward.flops.total());
  EXPECT_EQ(none.validation.forward.flops.total(), all.validation.forward.flops.total());
}

TEST_F(RunWorkOfTinyRun, WithoutValidationThereIsNone) {
  data_.validation.clear();
  const RunWork work = examine();
  EXPECT_EQ(work.num_validations, 0);
  EXPECT_DOUBLE_EQ(work.whole.flops, 5 * work.step.flops);
}

TEST_F(RunWorkOfTinyRun, OfManyStepsTheFirstStandForTheOthers) {
  options_.schedule.steps = 1'000'000'000;
  data_.validation.clear();
  const RunWork work = examine();
  EXPECT_GT(work.num_steps_examined, 1000);
  EXPECT_LT(work.num_steps_examined, 1'000'000);
  EXPECT_DOUBLE_EQ(work.whole.rows_computed, 1e9 * work.step.rows_computed);
}

TEST_F(RunWorkOfTinyRun, HoldsTheMostOfAllForestsAndPasses) {
  const RunWork whole = examine();
  const RunWork cut = examine({.plan = {.max_rows = 40}});
  EXPECT_EQ(whole.step.num_passes, 1);
  EXPECT_GT(cut.step.num_passes, 1);
  EXPECT_EQ(whole.whole.bytes.key_values.total(), 0U);
  EXPECT_GT(cut.whole.bytes.key_values.total(), 0U);
  EXPECT_LT(cut.whole.scratch.rows, whole.whole.scratch.rows);
  EXPECT_GE(whole.whole.bytes.activations.total(), whole.step.bytes.activations.total());
  EXPECT_GE(whole.whole.bytes.activations.total(), whole.validation.bytes.activations.total());
}

}  // namespace
}  // namespace prescript
