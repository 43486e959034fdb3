#include "train/run_work.h"

#include <algorithm>

#include "train/batches.h"

namespace prescript {
namespace {

constexpr double kMaxRowsExamined = 1 << 21;

// Targets that meet the head together.
constexpr int64_t kHeadTargets = 128;

void add(const PhaseWork& work, double times, PhaseWork& sum) {
  sum.flops.products += times * work.flops.products;
  sum.flops.attention += times * work.flops.attention;
  sum.flops.head += times * work.flops.head;
  sum.row_layers += times * work.row_layers;
}

double row_layers(const Pass& pass, int64_t inner_layers) {
  return static_cast<double>(pass.num_rows() * inner_layers + pass.num_output_rows());
}

/// What a run computes over its exemplars, forest by forest.
class Examiner {
 public:
  Examiner(const BackendTraits& ops,
           const DecoderConfig& config,
           DType dtype,
           int64_t num_virtual_tokens,
           const StepOptions& options)
      : ops_(ops),
        config_(config),
        dtype_(dtype),
        num_virtual_tokens_(num_virtual_tokens),
        options_(options) {
    if (options.share && !options.head_start.empty()) given_rows_ = {options.head_start};
  }

  std::vector<Schedule> schedules_of(const PromptedSequences& all) const {
    return make_schedules(build_forest(all.sequences, given_rows_, {.share = options_.share}),
                          options_.plan.max_rows);
  }

  PromptedSequences sequences_of(std::span<const PromptedBatch> batches) const {
    return prescript::sequences_of(batches, num_virtual_tokens_, options_.position);
  }

  Work work_of(const PromptedSequences& all,
               std::span<const Schedule> schedules,
               bool training) const {
    Work work;
    for (const Schedule& schedule : schedules) work.add(work_of(schedule, training));
    work.rows_unshared = static_cast<double>(num_unshared_rows(all.sequences));
    work.rows_padded = static_cast<double>(num_padded_rows(all.sequences));
    return work;
  }

  /// Under each of `prompts_PD`.
  Work work_of_validation(std::span<const TrainingExemplar* const> exemplars,
                          std::span<const std::span<const float>> prompts_PD) const {
    Work work;
    for (const auto& batches : batches_of_validation(exemplars, prompts_PD)) {
      const PromptedSequences all = sequences_of(batches);
      work.add(work_of(all, schedules_of(all), /*training=*/false));
    }
    return work;
  }

  /// Adds what is computed once, and held from then on.
  void add_head_start(Work& whole) const {
    if (given_rows_.empty()) return;
    Work work = work_of(key_value_schedule(given_rows_[0], options_.plan.max_rows), false);
    work.bytes.key_values = {};
    whole.add(work);
    whole.bytes.key_values.add(KeyValueRun::bytes(config_, dtype_, std::ssize(given_rows_[0])));
  }

 private:
  Work work_of(const Schedule& schedule, bool training) const {
    Work work{.num_passes = static_cast<double>(schedule.passes.size())};
    for (const Pass& pass : schedule.passes) add_pass(schedule, pass, training, work);
    if (options_.plan.rows_together > 0) {
      work.laid_out += (training ? 2 : 1) * num_ways_through(schedule, options_.plan) *
                       static_cast<double>(config_.num_layer_parameters());
    }
    work.bytes = forest_bytes(ops_, config_, dtype_, schedule, options_.plan, training);
    return work;
  }

  void add_pass(const Schedule& schedule, const Pass& pass, bool training, Work& work) const {
    const int64_t inner_layers = config_.num_layers - 1;
    const PhaseWork forward{forward_flops(config_, pass), row_layers(pass, inner_layers)};
    work.rows_computed += static_cast<double>(pass.num_rows());
    work.flops += count_flops(config_, schedule, pass, training);
    add(forward, 1, work.forward);
    work.scratch.rows = std::max(work.scratch.rows, pass.num_rows());
    work.scratch.targets = std::max(work.scratch.targets, std::ssize(pass.targets));
    for (const Part& part : pass.parts) {
      const double pairs = static_cast<double>(part.num_queries) * part.num_keys;
      work.scratch.pairs = std::max(work.scratch.pairs, pairs);
    }
    // Those that go together lay out layers together.
    const bool is_alone = options_.plan.rows_together == 0;
    const auto layer_weights = is_alone ? static_cast<double>(config_.num_layer_parameters()) : 0.0;
    const int64_t heads = (std::ssize(pass.targets) + kHeadTargets - 1) / kHeadTargets;
    const double pass_weights = layer_weights + static_cast<double>(heads) *
                                                    static_cast<double>(config_.vocabulary_size) *
                                                    static_cast<double>(config_.hidden_size);
    work.laid_out += pass_weights;
    if (!training) return;
    work.laid_out += pass_weights;
    add({input_gradient_flops(config_, pass, schedule.kept_runs), forward.row_layers},
        1,
        work.backward);
    const int64_t kept = options_.plan.kept_layers;
    if (kept < 0 || kept >= inner_layers) return;
    const auto recomputed = static_cast<double>(inner_layers - kept);
    add({inner_layers_flops(config_, pass, kept, inner_layers),
         recomputed * static_cast<double>(pass.num_rows())},
        1,
        work.forward);
    work.laid_out += layer_weights * recomputed / static_cast<double>(config_.num_layers);
  }

  const BackendTraits& ops_;
  const DecoderConfig& config_;
  DType dtype_;
  int64_t num_virtual_tokens_;
  const StepOptions& options_;
  std::vector<std::vector<Row>> given_rows_;  // the head start, or none
};

/// The batches of each forest of a step. Under privacy as many exemplars as are expected, which
/// stand for those that are drawn.
std::vector<std::vector<PromptedBatch>> batches_of_step(const TrainingData& data,
                                                        const TuneOptions& options,
                                                        int64_t step,
                                                        std::span<const float> prompt_PD) {
  std::vector<PromptedBatch> batches;
  for (const CandidateOptions& candidate : options.candidates) {
    batches.push_back(
        {exemplars_of_step(data.train, options.batch_size, candidate.seed, step), prompt_PD});
  }
  if (options.privacy) return batches_of_single_exemplars(batches[0].exemplars, prompt_PD);
  return {std::move(batches)};
}

}  // namespace

void Work::add(const Work& other, double times) {
  num_passes += times * other.num_passes;
  rows_computed += times * other.rows_computed;
  rows_unshared += times * other.rows_unshared;
  rows_padded += times * other.rows_padded;
  flops += times * other.flops;
  prescript::add(other.forward, times, forward);
  prescript::add(other.backward, times, backward);
  laid_out += times * other.laid_out;
  bytes.activations.raise_to(other.bytes.activations);
  bytes.key_values.raise_to(other.bytes.key_values);
  scratch.rows = std::max(scratch.rows, other.scratch.rows);
  scratch.targets = std::max(scratch.targets, other.scratch.targets);
  scratch.pairs = std::max(scratch.pairs, other.scratch.pairs);
}

RunWork work_of_run(const BackendTraits& ops,
                    const DecoderConfig& config,
                    DType dtype,
                    const TrainingData& data,
                    int64_t num_virtual_tokens,
                    const StepOptions& step_options,
                    const TuneOptions& options) {
  const Examiner examiner(ops, config, dtype, num_virtual_tokens, step_options);
  // Whatever a soft prompt holds, the forests are the same.
  const float any = 0;
  const std::vector<std::span<const float>> prompts_PD(options.candidates.size(),
                                                       std::span(&any, 1));
  RunWork run{.num_steps = options.schedule.steps};
  Work steps;
  do {
    ++run.num_steps_examined;
    for (const auto& batches :
         batches_of_step(data, options, run.num_steps_examined, prompts_PD[0])) {
      const PromptedSequences all = examiner.sequences_of(batches);
      std::vector<Schedule> schedules = examiner.schedules_of(all);
      steps.add(examiner.work_of(all, schedules, /*training=*/true));
      if (run.first_step.passes.empty()) run.first_step = std::move(schedules[0]);
    }
  } while (run.num_steps_examined < run.num_steps && steps.rows_unshared < kMaxRowsExamined);
  run.step.add(steps, 1 / static_cast<double>(run.num_steps_examined));
  run.whole.add(run.step, static_cast<double>(run.num_steps));

  if (!data.validation.empty()) {
    std::vector<const TrainingExemplar*> validation;
    for (const TrainingExemplar& exemplar : data.validation) validation.push_back(&exemplar);
    run.validation = examiner.work_of_validation(validation, prompts_PD);
    // Before the first step, in between and behind the last; and once without a soft prompt.
    run.num_validations = 2 + (run.num_steps - 1) / options.evaluate_every;
    run.whole.add(run.validation, static_cast<double>(run.num_validations));
    const std::span<const float> none;
    run.whole.add(examiner.work_of_validation(validation, std::span(&none, 1)));
  }
  examiner.add_head_start(run.whole);
  return run;
}

}  // namespace prescript
