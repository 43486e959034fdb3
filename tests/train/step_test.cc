#include "train/step.h"

#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/expect_error.h"
#include "support/fake_card.h"
#include "support/forwarding_ops.h"
#include "support/tiny_base.h"
#include "support/tolerance.h"
#include "train/exact_step.h"
#include "train/floats.h"
#include "train/tiny_run.h"

namespace prescript {
namespace {

constexpr int64_t kP = 6;

/// What a step with one soft prompt came to.
struct SoloResult : PromptResult {
  SoloResult(const StepResult& whole) : PromptResult(whole.prompts.at(0)), step(whole) {}

  StepResult step;
};

/// A decoder with one soft prompt.
class SoloDecoder {
 public:
  SoloDecoder(Decoder& decoder, int64_t num_virtual_tokens, const StepOptions& options)
      : prompted_(decoder, 1, num_virtual_tokens, options) {}

  SoloResult differentiate(const std::vector<const TrainingExemplar*>& exemplars,
                           const std::vector<float>& prompt_PD) {
    const PromptedBatch batch{exemplars, prompt_PD};
    return prompted_.differentiate(std::span(&batch, 1));
  }

  SoloResult score(std::span<const TrainingExemplar* const> exemplars,
                   const std::vector<float>& prompt_PD) {
    const std::span<const float> prompt(prompt_PD);
    return prompted_.score(exemplars, std::span(&prompt, 1));
  }

 private:
  PromptedDecoder prompted_;
};

TEST(TrainingStep, EqualsAutogradOnTheUnsharedSequencesAtEveryPosition) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  for (const auto& [position, with_bos] : {std::pair{PromptPosition::kStart, false},
                                           std::pair{PromptPosition::kStart, true},
                                           std::pair{PromptPosition::kAfterBos, true},
                                           std::pair{PromptPosition::kBeforeQuestion, false}}) {
    const auto exemplars = tiny_exemplars(with_bos);
    const SoftPrompt prompt = tiny_prompt(kP);
    SoloDecoder prompted(base.decoder(), kP, {.position = position});
    const SoloResult found = prompted.differentiate(pointers(exemplars), prompt.values_PD);
    const AutogradResult exact = exact_step(exemplars, prompt, position);
    ASSERT_GE(exact.logit_deviation, 1);
    EXPECT_NEAR(found.loss / exact.loss, 1, tolerance::kLossFloat32);
    EXPECT_LE(tolerance::norm_error(widened(found.gradient), exact.gradients[0].values),
              tolerance::kGradientFloat32);
    EXPECT_EQ(prompted.score(pointers(exemplars), prompt.values_PD).loss, found.loss);
  }
}

TEST(TrainingStep, PositionsDiffer) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars(/*with_bos=*/true);
  std::vector<double> losses;
  for (const auto position :
       {PromptPosition::kStart, PromptPosition::kAfterBos, PromptPosition::kBeforeQuestion}) {
    SoloDecoder prompted(base.decoder(), kP, {.position = position});
    losses.push_back(prompted.score(pointers(exemplars), tiny_prompt(kP).values_PD).loss);
  }
  EXPECT_GT(std::abs(losses[0] - losses[1]), 1e-3);
  EXPECT_GT(std::abs(losses[1] - losses[2]), 1e-3);
}

TEST(TrainingStep, TheLossIsTheMeanOverTheTargetsOfEachExemplarAlone) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  SoloDecoder prompted(base.decoder(), kP, {});
  for (const auto& prompt : {tiny_prompt(kP).values_PD, std::vector<float>()}) {
    double sum = 0;
    int64_t num_targets = 0;
    for (const TrainingExemplar* exemplar : pointers(exemplars)) {
      const SoloResult alone = prompted.score(std::span(&exemplar, 1), prompt);
      EXPECT_EQ(alone.num_targets, static_cast<int64_t>(exemplar->rendered.targets.size()));
      sum += alone.loss * static_cast<double>(alone.num_targets);
      num_targets += alone.num_targets;
    }
    const SoloResult together = prompted.score(pointers(exemplars), prompt);
    EXPECT_EQ(together.num_targets, num_targets);
    EXPECT_NEAR(
        together.loss * static_cast<double>(num_targets) / sum, 1, tolerance::kScheduleLossFloat32);
  }
}

// Log-probabilities leave a backend as float32, so a difference over 2h is good to about
// 1e-7 / h; h^2 of it is curvature.
TEST(TrainingStep, TheGradientEqualsDifferencesOfTheLoss) {
  TinyBase base(make_reference_ops(), DType::kFloat64);
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(kP);
  SoloDecoder prompted(base.decoder(), kP, {});
  const SoloResult step = prompted.differentiate(pointers(exemplars), prompt.values_PD);
  double largest = 0;
  for (const float value : step.gradient) largest = std::max(largest, std::abs(double{value}));
  constexpr float kH = 1.0F / 256;
  for (const size_t i : {size_t{0}, size_t{1}, size_t{37}, size_t{100}, step.gradient.size() - 1}) {
    std::vector<float> above = prompt.values_PD;
    std::vector<float> below = prompt.values_PD;
    above[i] += kH;
    below[i] -= kH;
    const double difference = prompted.score(pointers(exemplars), above).loss -
                              prompted.score(pointers(exemplars), below).loss;
    EXPECT_NEAR(step.gradient[i], difference / (above[i] - below[i]), 2e-3 * largest) << i;
  }
}

TEST(TrainingStep, SharingAndRowsOfAPassChangeItByRoundingOnly) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(kP);
  SoloDecoder shared(base.decoder(), kP, {});
  const SoloResult expected = shared.differentiate(pointers(exemplars), prompt.values_PD);
  EXPECT_LT(expected.step.rows_computed, expected.step.rows_unshared);
  EXPECT_LT(expected.step.rows_unshared, expected.step.rows_padded);
  for (const StepOptions& options : {StepOptions{.share = false},
                                     StepOptions{.plan = {.max_rows = 64}},
                                     StepOptions{.plan = {.max_rows = 64, .kept_layers = 0}},
                                     StepOptions{.plan = {.max_rows = 1}, .share = false}}) {
    SoloDecoder prompted(base.decoder(), kP, options);
    const SoloResult found = prompted.differentiate(pointers(exemplars), prompt.values_PD);
    EXPECT_NEAR(found.loss / expected.loss, 1, tolerance::kScheduleLossFloat32);
    EXPECT_LE(tolerance::norm_error(widened(found.gradient), widened(expected.gradient)),
              tolerance::kScheduleGradientFloat32);
    EXPECT_EQ(found.step.rows_unshared, expected.step.rows_unshared);
    EXPECT_EQ(found.step.rows_padded, expected.step.rows_padded);
    if (!options.share) {
      EXPECT_EQ(found.step.rows_computed, found.step.rows_unshared);
    }
  }
}

/// Instruction of the tiny exemplars, which stands before the soft prompt.
std::vector<Row> tiny_head_start() {
  const std::vector<int32_t> ids = tiny_exemplars()[0].rendered.ids;
  std::vector<Row> rows;
  for (size_t i = 0; i < 18; ++i) rows.push_back(Row::token(ids[i]));
  return rows;
}

TEST(TrainingStep, AHeadStartIsNotComputedAgainAndChangesAStepByRoundingOnly) {
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(kP);
  for (const bool in_float64 : {true, false}) {
    TinyBase base(in_float64 ? make_reference_ops() : make_cpu_ops(1),
                  in_float64 ? DType::kFloat64 : DType::kFloat32);
    StepOptions options{.share = false, .position = PromptPosition::kBeforeQuestion};
    options.head_start = tiny_head_start();
    SoloDecoder unshared(base.decoder(), kP, options);
    const SoloResult exact = unshared.differentiate(pointers(exemplars), prompt.values_PD);
    const SoloResult exact_base = unshared.score(pointers(exemplars), {});
    EXPECT_EQ(exact.step.rows_computed, exact.step.rows_unshared)
        << "without sharing there is none";

    options.share = true;
    SoloDecoder shared(base.decoder(), kP, {.position = options.position});
    const SoloResult whole = shared.differentiate(pointers(exemplars), prompt.values_PD);
    for (const int64_t max_rows : {7, 64, 4096}) {  // 7: the head start itself in several passes
      options.plan.max_rows = max_rows;
      SoloDecoder prompted(base.decoder(), kP, options);
      const SoloResult found = prompted.differentiate(pointers(exemplars), prompt.values_PD);
      EXPECT_EQ(found.step.rows_computed, whole.step.rows_computed - 18);
      EXPECT_EQ(found.step.rows_unshared, exact.step.rows_unshared);
      EXPECT_LT(found.step.flops, whole.step.flops);
      EXPECT_NEAR(found.loss / exact.loss, 1, tolerance::kScheduleLossFloat32);
      EXPECT_LE(tolerance::norm_error(widened(found.gradient), widened(exact.gradient)),
                tolerance::kScheduleGradientFloat32);
      const SoloResult again = prompted.differentiate(pointers(exemplars), prompt.values_PD);
      EXPECT_EQ(again.gradient, found.gradient);
      EXPECT_EQ(again.loss, found.loss);
      EXPECT_EQ(prompted.score(pointers(exemplars), prompt.values_PD).loss, found.loss);
      const SoloResult found_base = prompted.score(pointers(exemplars), {});
      EXPECT_EQ(found_base.step.rows_computed,
                shared.score(pointers(exemplars), {}).step.rows_computed - 18);
      EXPECT_NEAR(found_base.loss / exact_base.loss, 1, tolerance::kScheduleLossFloat32);
    }
  }
}

TEST(TrainingStep, RowsEqualAHandCount) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const std::vector<TrainingExemplar> exemplars = {
      tiny_exemplar("a", "0123456789", "yes, it is so"), tiny_exemplar("b", "9876543210", "no")};
  SoloDecoder prompted(base.decoder(), kP, {});
  const SoloResult found = prompted.differentiate(pointers(exemplars), tiny_prompt(kP).values_PD);
  // 6 virtual tokens and an instruction of 18 are shared. Behind them stand the questions of 10 and
  // the answers of 13 and 2, whose end of text is a target only.
  EXPECT_EQ(found.step.rows_computed, 6 + 18 + (10 + 13) + (10 + 2));
  EXPECT_EQ(found.step.rows_unshared, 2 * (6 + 18) + (10 + 13) + (10 + 2));
  EXPECT_EQ(found.step.rows_padded, 2 * (6 + 18 + 10 + 13 + 1));
  EXPECT_EQ(found.num_targets, 14 + 3);
}

TEST(TrainingStep, TheSameExemplarTwiceCountsTwice) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(kP);
  SoloDecoder prompted(base.decoder(), kP, {});
  auto twice = pointers(exemplars);
  for (const TrainingExemplar* exemplar : pointers(exemplars)) twice.push_back(exemplar);
  const SoloResult once = prompted.differentiate(pointers(exemplars), prompt.values_PD);
  const SoloResult doubled = prompted.differentiate(twice, prompt.values_PD);
  EXPECT_EQ(doubled.num_targets, 2 * once.num_targets);
  EXPECT_NEAR(doubled.loss / once.loss, 1, tolerance::kScheduleLossFloat32);
  EXPECT_LE(tolerance::norm_error(widened(doubled.gradient), widened(once.gradient)),
            tolerance::kScheduleGradientFloat32);
}

/// Counts the blocks whose memory the system has yet to give: no page stands behind their begin.
class FreshBlocks final : public ForwardingOps {
 public:
  FreshBlocks() : ForwardingOps(make_cpu_ops(1)) {}

  Buffer allocate(size_t bytes) override {
    Buffer block = ForwardingOps::allocate(bytes);
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void* begin = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(block.get()) / page * page);
    unsigned char is_there = 0;
    EXPECT_EQ(mincore(begin, 1, &is_there), 0);
    ++num_blocks;
    num_fresh += (is_there & 1) == 0 ? 1 : 0;
    return block;
  }

  int num_blocks = 0;
  int num_fresh = 0;
};

TEST(TrainingStep, TakesWhatTheOneBeforeGaveBackAndNoFreshMemory) {
  auto made = std::make_unique<FreshBlocks>();
  FreshBlocks& counts = *made;
  TinyBase base(std::move(made), DType::kFloat32);
  EXPECT_GT(counts.num_fresh, 0) << "weights are fresh";
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(kP);
  for (const StepOptions& options :
       {StepOptions{}, StepOptions{.plan = {.max_rows = 64, .kept_layers = 0}}}) {
    SoloDecoder prompted(base.decoder(), kP, options);
    prompted.differentiate(pointers(exemplars), prompt.values_PD);
    counts.num_blocks = counts.num_fresh = 0;
    prompted.differentiate(pointers(exemplars), prompt.values_PD);
    EXPECT_GT(counts.num_blocks, 0);
    EXPECT_EQ(counts.num_fresh, 0) << "of " << counts.num_blocks;
  }
}

TEST(TrainingStep, APromptThatIsNotFiniteNamesTheExemplars) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  for (const float poison :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    SoftPrompt prompt = tiny_prompt(kP);
    prompt.values_PD[40] = poison;
    SoloDecoder prompted(base.decoder(), kP, {});
    const SoloResult step = prompted.differentiate(pointers(exemplars), prompt.values_PD);
    for (const char* id : {"fever", "water", "rash", "sleep", "again"}) {
      EXPECT_THAT(step.not_finite, testing::HasSubstr(id));
    }
    EXPECT_THAT(prompted.score(pointers(exemplars), prompt.values_PD).not_finite,
                testing::HasSubstr("rash"));
  }
}

/// Exemplars of each of three soft prompts: the first two read the same, the third others.
std::vector<PromptedBatch> three_batches(const std::vector<TrainingExemplar>& exemplars,
                                         const std::vector<SoftPrompt>& prompts) {
  const auto all = pointers(exemplars);
  return {{all, prompts[0].values_PD},
          {all, prompts[1].values_PD},
          {{all[3], all[0], all[3]}, prompts[2].values_PD}};
}

TEST(TrainingStep, SoftPromptsSideBySideEqualTheirSoloSteps) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  const std::vector<SoftPrompt> prompts = {
      tiny_prompt(kP, 1), tiny_prompt(kP, 2), tiny_prompt(kP, 3)};
  const auto batches = three_batches(exemplars, prompts);
  StepOptions before_question{.position = PromptPosition::kBeforeQuestion};
  before_question.head_start = tiny_head_start();
  StepOptions cut = before_question;
  cut.plan = {.max_rows = 30, .kept_layers = 1};
  for (const StepOptions& options : {StepOptions{},
                                     before_question,
                                     cut,
                                     StepOptions{.plan = {.max_rows = 40}},
                                     StepOptions{.plan = {.max_rows = 64}, .share = false}}) {
    PromptedDecoder together(base.decoder(), 3, kP, options);
    SoloDecoder solo(base.decoder(), kP, options);
    const StepResult found = together.differentiate(batches);
    const std::span<const float> spans[] = {
        prompts[0].values_PD, prompts[1].values_PD, prompts[2].values_PD};
    const StepResult scored = together.score(pointers(exemplars), spans);
    StepResult sum;
    for (size_t i = 0; i < 3; ++i) {
      const SoloResult alone = solo.differentiate(batches[i].exemplars, prompts[i].values_PD);
      EXPECT_EQ(found.prompts[i].num_targets, alone.num_targets);
      EXPECT_NEAR(found.prompts[i].loss / alone.loss, 1, tolerance::kScheduleLossFloat32);
      EXPECT_LE(tolerance::norm_error(widened(found.prompts[i].gradient), widened(alone.gradient)),
                tolerance::kScheduleGradientFloat32);
      EXPECT_NEAR(
          scored.prompts[i].loss / solo.score(pointers(exemplars), prompts[i].values_PD).loss,
          1,
          tolerance::kScheduleLossFloat32);
      sum.rows_computed += alone.step.rows_computed;
      sum.rows_unshared += alone.step.rows_unshared;
    }
    EXPECT_EQ(found.rows_computed, sum.rows_computed);
    EXPECT_EQ(found.rows_unshared, sum.rows_unshared);
  }
}

TEST(TrainingStep, ASoftPromptThatIsNotFiniteLeavesTheOthersAlone) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  std::vector<SoftPrompt> prompts = {tiny_prompt(kP, 1), tiny_prompt(kP, 2), tiny_prompt(kP, 3)};
  StepOptions options{.position = PromptPosition::kBeforeQuestion};
  options.head_start = tiny_head_start();
  PromptedDecoder together(base.decoder(), 3, kP, options);
  const StepResult sound = together.differentiate(three_batches(exemplars, prompts));
  prompts[1].values_PD[40] = std::numeric_limits<float>::quiet_NaN();
  const StepResult found = together.differentiate(three_batches(exemplars, prompts));
  EXPECT_FALSE(found.prompts[1].not_finite.empty());
  for (const size_t i : {0, 2}) {
    EXPECT_EQ(found.prompts[i].not_finite, "");
    EXPECT_EQ(found.prompts[i].loss, sound.prompts[i].loss);
    EXPECT_EQ(found.prompts[i].gradient, sound.prompts[i].gradient);
  }
}

TEST(TrainingStep, AfterBosNeedsABos) {
  TinyBase base(make_cpu_ops(1), DType::kFloat32);
  const auto exemplars = tiny_exemplars(/*with_bos=*/false);
  SoloDecoder prompted(base.decoder(), kP, {.position = PromptPosition::kAfterBos});
  expect_input_error(ExitCode::kModel, "after_bos", [&] {
    prompted.differentiate(pointers(exemplars), tiny_prompt(kP).values_PD);
  });
  EXPECT_NO_THROW(prompted.score(pointers(exemplars), {})) << "no soft prompt needs no place";
}

TEST(TrainingStep, SaysHowManyRowsWereTooManyForTheMemory) {
  auto made = std::make_unique<FakeCard>();
  FakeCard& card = *made;
  TinyBase base(std::move(made), DType::kFloat32);
  const auto exemplars = tiny_exemplars();
  const SoftPrompt prompt = tiny_prompt(4);
  const std::vector<PromptedBatch> batches = {{pointers(exemplars), prompt.values_PD}};
  const std::span<const float> values = prompt.values_PD;
  for (const int64_t max_rows : {40, 4096}) {
    PromptedDecoder prompted(base.decoder(), 1, 4, {.plan = {.max_rows = max_rows}});
    for (const bool is_training : {true, false}) {
      const auto compute = [&] {
        return is_training ? prompted.differentiate(batches)
                           : prompted.score(batches[0].exemplars, std::span(&values, 1));
      };
      const int64_t rows = compute().rows_computed;
      card.largest_block = 1000;
      try {
        compute();
        ADD_FAILURE() << "there was room";
      } catch (const OutOfMemory& error) {
        EXPECT_EQ(error.code(), ExitCode::kResources);
        EXPECT_TRUE(std::string(error.what()).starts_with("no room for")) << error.what();
        EXPECT_EQ(error.rows(), std::min(rows, max_rows));
      }
      card.largest_block = SIZE_MAX;
      EXPECT_EQ(compute().rows_computed, rows) << "it can go on";
    }
  }
}

}  // namespace
}  // namespace prescript
