// prescript estimate: memory and time of a run, before any weights are loaded.

#include <cmath>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/prepared_run.h"
#include "cli/private_run.h"
#include "cli/recipe_arguments.h"
#include "cli/run_display.h"
#include "cli/run_forecast.h"
#include "cli/run_plan.h"
#include "io/tensor_source.h"
#include "train/peak.h"
#include "train/step_rates.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  RecipeArguments run;
  bool json = false;
};

/// How fast the backend is.
struct Speed {
  StepRates rates = {};
  double peak = 0;  // FLOP/s
};

/// Without `speed` there are no seconds.
StepReport report_of(const Work& work, const std::optional<Speed>& speed) {
  StepReport report{.seconds = speed ? seconds_of(work, speed->rates) : 0,
                    .rows_computed = std::llround(work.rows_computed),
                    .rows_unshared = std::llround(work.rows_unshared),
                    .rows_padded = std::llround(work.rows_padded),
                    .flops = work.flops};
  if (speed) report.set_peak(speed->peak);
  return report;
}

/// A report without seconds has none of what follows from them.
ordered_json json_of(const Work& work, const StepReport& report) {
  ordered_json facts;
  if (report.seconds > 0) facts["seconds"] = report.seconds;
  facts.update({{"passes", work.num_passes},
                {"rows_computed", report.rows_computed},
                {"rows_unshared", report.rows_unshared},
                {"rows_padded", report.rows_padded},
                {"flops", report.flops}});
  if (report.seconds > 0) {
    facts["flops_per_second"] = report.flops_per_second();
    facts["share_of_peak"] = report.share_of_peak();
  }
  return facts;
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
  write_result(in_column(what) + (report.seconds > 0 ? duration(report.seconds) + ", " : "") +
               describe_flops(report));
  const std::string passes = rounded(work.num_passes, work.num_passes < 10 ? 1 : 0);
  write_result(in_column("") + describe_rows(report) + ", passes: " + passes);
}

std::string describe_weights(const WeightsRecipe& weights) {
  if (weights.residence == "streamed") return "streamed, a layer at a time";
  return weights.format == "as_stored" ? "as stored" : "converted";
}

/// All that the command tells.
struct Estimate {
  std::string device = {};
  bool is_device_here = true;
  bool is_card = false;
  RunForecast forecast = {};
  StepReport step = {};
  StepReport validation = {};
  StepReport whole = {};
  std::string privacy = {};  // what the whole run will cost; empty without
  ordered_json privacy_facts = {};
};

Speed measure_speed(Ops& ops, const PreparedRun& run, const Schedule& first_step) {
  const DecoderConfig& config = run.files.config;
  const DType dtype = compute_dtype(run.recipe);
  const double peak = measure_peak(ops, dtype);
  StepRates rates = measure_rates(ops, config, dtype, first_step, peak);
  const WeightFormat format = weight_format(run.recipe);
  if (format != WeightFormat::kConverted) {
    rates.laid_out = measure_layout_rate(ops, *run.files.tensors, config, dtype, format);
    rates.lays_out_meanwhile = format == WeightFormat::kStreamed && ops.holds_blocks();
  }
  return {rates, peak};
}

Estimate estimate_of(PreparedRun run) {
  resolve(run, nullptr);
  std::unique_ptr<Ops> ops;
  if (is_device_here(run.recipe.device)) ops = make_ops(run.recipe);
  const BackendTraits& traits = ops ? *ops : absent_cuda();
  Estimate result{.device = describe_device(traits),
                  .is_device_here = ops != nullptr,
                  .is_card = traits.device_memory().has_value(),
                  .forecast = forecast_run(run.recipe, traits, run.files, run.data)};
  if (result.forecast.misfit) write_warning(*result.forecast.misfit);
  if (!ops) {
    write_warning("device: " + result.device +
                  ": there is no card here; the memory that one needs is told, but no seconds");
  }
  const RunWork& work = result.forecast.work;
  std::optional<Speed> speed;
  if (ops) speed = measure_speed(*ops, run, work.first_step);
  result.step = report_of(work.step, speed);
  result.validation = report_of(work.validation, speed);
  result.whole = report_of(work.whole, speed);
  if (run.recipe.privacy.noise) {
    const int64_t steps = run.recipe.training.steps;
    result.privacy = describe_privacy(run.recipe, run.data, steps);
    result.privacy_facts = privacy_facts(run.recipe, run.data, steps);
  }
  return result;
}

void write_json(const Estimate& estimate) {
  const RunWork& work = estimate.forecast.work;
  ordered_json facts = {{"device", estimate.device}};
  facts.update(memory_facts(estimate.forecast));
  if (!estimate.is_device_here) facts["least_bytes"] = estimate.forecast.least_bytes;
  facts["steps"] = work.num_steps;
  facts["steps_examined"] = work.num_steps_examined;
  facts["validations"] = work.num_validations;
  facts["step"] = json_of(work.step, estimate.step);
  if (work.num_validations > 0) {
    facts["validation"] = json_of(work.validation, estimate.validation);
  }
  facts["run"] = json_of(work.whole, estimate.whole);
  if (!estimate.privacy.empty()) facts["privacy"] = estimate.privacy_facts;
  write_result(json_line(facts));
}

void write_text(const Estimate& estimate) {
  const RunWork& work = estimate.forecast.work;
  const std::vector<MemoryPart>& memory = estimate.forecast.memory;
  write_result(in_column("device") + estimate.device);
  write_result(in_column("memory") + in_gb(sum_of(memory)) + " at its peak" +
               (estimate.is_card ? ", of the card" : "") +
               (estimate.forecast.peaks_in_loading ? ", while the weights are loaded" : "") +
               (estimate.forecast.misfit ? "; the run does not fit: see the warning" : ""));
  for (const MemoryPart& part : memory) {
    const bool is_weights = std::string_view(part.label) == "weights";
    write_result(in_column(std::string("  ") + part.label) + in_gb(part.bytes) +
                 (is_weights ? ", " + describe_weights(estimate.forecast.weights) : ""));
  }
  if (estimate.is_card) {
    write_result(in_column("  passes") + "at most " +
                 counted(estimate.forecast.plan.max_rows, "row") + ", activations of " +
                 counted(estimate.forecast.plan.kept_layers, "layer") + " kept");
    write_result(in_column("  of the host") + in_gb(estimate.forecast.host_bytes));
  }
  if (!estimate.is_device_here) {
    write_result(in_column("  at the least") + in_gb(estimate.forecast.least_bytes) +
                 ", in the smallest passes and with all activations computed again");
  }
  write_text("a step", work.step, estimate.step);
  if (work.num_validations > 0) write_text("a validation", work.validation, estimate.validation);
  write_text("the run", work.whole, estimate.whole);
  write_result(in_column("") + counted(work.num_steps, "step") +
               (work.num_validations == 0 ? ", no validation"
                                          : ", " + std::to_string(work.num_validations) +
                                                " validations, one more without a soft prompt"));
  if (!estimate.privacy.empty()) write_result(in_column("privacy") + estimate.privacy);
}

int estimate(const Arguments& arguments) {
  const Estimate estimate = estimate_of(
      prepare_run(arguments.run.recipe, arguments.run.overrides, /*may_be_absent=*/true));
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
      "from the speed of this machine, which is measured for about a second. With device: cuda "
      "and\n"
      "without a card it tells the memory alone. Writes nothing.");
  add_recipe_arguments(*command, arguments->run);
  command->add_flag("--json", arguments->json, "one JSON object");
  command->callback(
      [arguments, &action] { action = [arguments] { return estimate(*arguments); }; });
}

}  // namespace prescript
