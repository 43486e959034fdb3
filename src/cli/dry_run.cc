#include "cli/dry_run.h"

#include <chrono>

#include "base/counted.h"
#include "base/durable_file.h"
#include "cli/private_run.h"
#include "cli/run_display.h"
#include "cli/run_plan.h"
#include "cli/search_report.h"
#include "cli/terminal.h"
#include "io/safetensors.h"
#include "train/batches.h"
#include "train/peak.h"

namespace prescript {
namespace {

void check_finite(const Recipe& recipe, const StepResult& step) {
  for (size_t c = 0; c < step.prompts.size(); ++c) {
    const std::string& what = step.prompts[c].not_finite;
    if (what.empty()) continue;
    throw InputError(ExitCode::kNotFinite,
                     step.prompts.size() == 1 ? what : describe_candidate(recipe, c) + ": " + what);
  }
}

/// As tensor `gradient`, or of several candidates `gradient.1`, `gradient.2`, ...
void write_gradients(const std::string& path,
                     std::span<const SoftPrompt> prompts,
                     const StepResult& step) {
  std::vector<SafetensorsTensor> tensors;
  for (size_t c = 0; c < prompts.size(); ++c) {
    tensors.push_back({"gradient" + (prompts.size() == 1 ? "" : "." + std::to_string(c + 1)),
                       "F32",
                       {prompts[c].num_virtual_tokens, prompts[c].hidden_size},
                       std::as_bytes(std::span(step.prompts[c].gradient))});
  }
  write_file_durably(path, safetensors_file_bytes(std::move(tensors)));
}

/// Of every candidate.
std::vector<PromptedBatch> batches_of_first_step(const PreparedRun& run,
                                                 const TuneOptions& options) {
  std::vector<PromptedBatch> batches;
  for (const CandidateOptions& candidate : options.candidates) {
    batches.push_back({exemplars_of_step(run.data.train, options.batch_size, candidate.seed, 1),
                       run.initial[batches.size()].values_PD});
  }
  if (!options.privacy) return batches;
  batches[0].exemplars.clear();
  const double rate = sample_rate(run.data.train.size(), options.batch_size);
  for (const size_t i : draw_exemplars(run.data.train.size(), rate, options.privacy->key, 1)) {
    batches[0].exemplars.push_back(&run.data.train[i]);
  }
  return batches;
}

}  // namespace

int dry_run(PreparedRun run, const std::optional<std::string>& gradient_path) {
  resolve(run, nullptr);
  std::unique_ptr<Ops> ops = make_ops(run.recipe);
  RunMemory memory = run_memory(run.recipe, *ops, run.files, run.data);
  const RunPlan plan = settle_memory(run.recipe, memory);
  BaseModel base(std::move(run.files), compute_options(run.recipe), std::move(ops));
  const TuneOptions options = tune_options(run.recipe, run.noise_key.value_or(0));
  PromptedDecoder prompted(base.decoder(),
                           options.privacy ? kExemplarsSideBySide : std::ssize(run.initial),
                           run.initial[0].num_virtual_tokens,
                           step_options(run.recipe, plan, run.data));
  const std::vector<PromptedBatch> batches = batches_of_first_step(run, options);
  const double peak = measure_peak(base.ops(), compute_dtype(run.recipe));
  const auto begin = std::chrono::steady_clock::now();
  const StepResult step = options.privacy ? differentiate_privately(prompted,
                                                                    batches[0].exemplars,
                                                                    batches[0].prompt_PD,
                                                                    *options.privacy,
                                                                    options.batch_size,
                                                                    1)
                                                .result
                                          : prompted.differentiate(batches);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  check_finite(run.recipe, step);
  if (gradient_path) write_gradients(*gradient_path, run.initial, step);
  for (size_t c = 0; c < step.prompts.size(); ++c) {
    const bool is_alone = step.prompts.size() == 1;
    write_result("dry run of step 1" + (is_alone ? "" : ", " + describe_candidate(run.recipe, c)) +
                 ": loss " + rounded(step.prompts[c].loss, 6) + ", gradient norm " +
                 rounded(norm_of(step.prompts[c].gradient), 6));
  }
  StepReport report{.seconds = seconds.count(),
                    .rows_computed = step.rows_computed,
                    .rows_unshared = step.rows_unshared,
                    .rows_padded = step.rows_padded,
                    .flops = step.flops};
  report.set_peak(peak);
  int64_t num_targets = 0;
  for (const PromptResult& of_prompt : step.prompts) num_targets += of_prompt.num_targets;
  write_result(counted(batches.size() * batches[0].exemplars.size(), "exemplar") + ", " +
               counted(num_targets, "target") + ", at most " + counted(plan.max_rows, "row") +
               " at a time");
  write_result(describe_rows(report) + ", on " + run.recipe.device);
  write_result(rounded(seconds.count(), 2) + " s, " + describe_flops(report));
  if (options.privacy) {
    write_result("privacy: the whole run will cost " +
                 describe_privacy(run.recipe, run.data, run.recipe.training.steps));
  }
  return 0;
}

}  // namespace prescript
