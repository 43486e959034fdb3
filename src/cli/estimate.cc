// prescript estimate: memory and time of a run, before any weights are loaded.

#include <cmath>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/prepared_run.h"
#include "cli/recipe_arguments.h"
#include "cli/run_display.h"
#include "cli/run_forecast.h"
#include "cli/run_plan.h"
#include "io/tensor_source.h"
#include "train/memory_plan.h"
#include "train/step_rates.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  RecipeArguments run;
  bool json = false;
};

StepReport report_of(const Work& work, const StepRates& rates, double peak) {
  return {.seconds = seconds_of(work, rates),
          .rows_computed = std::llround(work.rows_computed),
          .rows_unshared = std::llround(work.rows_unshared),
          .rows_padded = std::llround(work.rows_padded),
          .flops = work.flops,
          .peak_flops_per_second = peak};
}

ordered_json json_of(const Work& work, const StepReport& report) {
  return {{"seconds", report.seconds},
          {"passes", work.num_passes},
          {"rows_computed", report.rows_computed},
          {"rows_unshared", report.rows_unshared},
          {"rows_padded", report.rows_padded},
          {"flops", report.flops},
          {"flops_per_second", report.flops_per_second()},
          {"share_of_peak", report.share_of_peak()}};
}

std::string in_column(const std::string& text) {
  constexpr size_t kColumns = 15;
  return text + std::string(kColumns - text.size(), ' ');
}

std::string in_gb(uint64_t bytes) {
  constexpr double kBytesOfGb = 1e9;
  return rounded(static_cast<double>(bytes) / kBytesOfGb, 2) + " GB";
}

std::string duration(double seconds) {
  constexpr double kMinute = 60;
  constexpr double kHour = 3600;
  if (seconds < 2 * kMinute) return rounded(seconds, 2) + " s";
  return seconds < 2 * kHour ? rounded(seconds / kMinute, 1) + " min"
                             : rounded(seconds / kHour, 1) + " h";
}

/// Two lines about `what`: a step, a validation, the run.
void write_text(const std::string& what, const Work& work, const StepReport& report) {
  write_result(in_column(what) + duration(report.seconds) + ", " + describe_flops(report));
  const std::string passes = rounded(work.num_passes, work.num_passes < 10 ? 1 : 0);
  write_result(in_column("") + describe_rows(report) + ", passes: " + passes);
}

/// All that the command tells.
struct Estimate {
  RunForecast forecast = {};
  StepReport step = {};
  StepReport validation = {};
  StepReport whole = {};
};

Estimate estimate_of(PreparedRun run) {
  run.recipe = resolve(run.recipe, nullptr);
  const auto ops = make_cpu_ops(static_cast<int>(*run.recipe.training.threads));
  const DecoderConfig& config = run.files.config;
  const DType dtype = compute_dtype(run.recipe);
  Estimate result{.forecast = forecast_run(run.recipe, *ops, run.files, run.data)};
  if (result.forecast.misfit) write_warning(*result.forecast.misfit);
  const RunWork& work = result.forecast.work;
  const double peak = peak_of(run.recipe);
  StepRates rates = measure_rates(*ops, config, dtype, work.first_step, peak);
  if (weight_format(run.recipe) == WeightFormat::kAsStored) {
    rates.laid_out = measure_layout_rate(*ops, *run.files.tensors, config, dtype);
  }
  result.step = report_of(work.step, rates, peak);
  result.validation = report_of(work.validation, rates, peak);
  result.whole = report_of(work.whole, rates, peak);
  return result;
}

void write_json(const Estimate& estimate) {
  const RunWork& work = estimate.forecast.work;
  ordered_json facts = memory_facts(estimate.forecast);
  facts["steps"] = work.num_steps;
  facts["steps_examined"] = work.num_steps_examined;
  facts["validations"] = work.num_validations;
  facts["step"] = json_of(work.step, estimate.step);
  if (work.num_validations > 0) {
    facts["validation"] = json_of(work.validation, estimate.validation);
  }
  facts["run"] = json_of(work.whole, estimate.whole);
  write_result(json_line(facts));
}

void write_text(const Estimate& estimate) {
  const RunWork& work = estimate.forecast.work;
  const std::vector<MemoryPart>& memory = estimate.forecast.memory;
  write_result(in_column("memory") + in_gb(sum_of(memory)) + " at its peak");
  for (const MemoryPart& part : memory) {
    write_result(in_column(std::string("  ") + part.label) + in_gb(part.bytes));
  }
  write_text("a step", work.step, estimate.step);
  if (work.num_validations > 0) write_text("a validation", work.validation, estimate.validation);
  write_text("the run", work.whole, estimate.whole);
  write_result(in_column("") + counted(work.num_steps, "step") +
               (work.num_validations == 0 ? ", no validation"
                                          : ", " + std::to_string(work.num_validations) +
                                                " validations, one more without a soft prompt"));
}

int estimate(const Arguments& arguments) {
  const Estimate estimate = estimate_of(prepare_run(arguments.run.recipe, arguments.run.overrides));
  if (arguments.json) {
    write_json(estimate);
  } else {
    write_text(estimate);
  }
  return 0;
}

}  // namespace

void add_estimate(CLI::App& program, Action& action) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* command = program.add_subcommand(
      "estimate", "Tell memory and time of a run, before any weights are loaded");
  command->footer(
      "Example: prescript estimate recipes/demo.yaml training.batch_size=16\n"
      "Memory follows from the batches of the run and how they are divided; seconds from their "
      "FLOPs and\n"
      "from the speed of this machine, which is measured for about a second. Writes nothing.");
  add_recipe_arguments(*command, arguments->run);
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback(
      [arguments, &action] { action = [arguments] { return estimate(*arguments); }; });
}

}  // namespace prescript
