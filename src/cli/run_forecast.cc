#include "cli/run_forecast.h"

#include <nlohmann/json.hpp>

#include "cli/run_plan.h"
#include "io/tensor_source.h"
#include "train/memory_plan.h"

namespace prescript {
namespace {

/// Of a layer's product as the file has it.
uint64_t stored_bytes(const TensorSource& tensors, const StoredWeight& weight) {
  uint64_t bytes = 0;
  for (const StoredRows& rows : weight.tensors) bytes += tensors.find(rows.name)->bytes;
  return bytes;
}

/// Pages of the file under a product that is laid out, where weights stay there.
uint64_t laid_out_pages(const RunMemory& run, const TensorSource& tensors) {
  if (run.format == WeightFormat::kConverted) return 0;
  return stored_bytes(
      tensors,
      StoredWeights(run.config, kind_of(tensors, run.config)).projection(0, Projection::kGateUp));
}

/// Sets the memory of the process, by what it holds: the more of loading, when pages of a tensor's
/// file stand beside all weights, and of the steps.
void set_process_memory(const RunMemory& run,
                        const TensorSource& tensors,
                        const Work& work,
                        RunForecast& forecast) {
  const auto memory = [&](uint64_t model_file, const ForestBytes& forest, uint64_t scratch) {
    return std::vector<MemoryPart>{
        {"process_bytes", "process", run.process.resident},
        {"soft_prompt_bytes",
         "soft prompts",
         soft_prompt_bytes(run.config, run.held.optimizer, run.held.virtual_tokens)},
        {"model_file_bytes", "model file", model_file},
        {"weight_bytes",
         "weights",
         weight_bytes(run.ops, run.config, run.dtype, run.format, run.tensors)},
        {"activation_bytes", "activations", forest.activations.total()},
        {"key_value_bytes", "K/V", forest.key_values.total()},
        {"scratch_bytes", "scratch", scratch}};
  };
  const auto loading = memory(run.process.model_file, {}, 0);
  const auto steps =
      memory(laid_out_pages(run, tensors),
             work.bytes,
             scratch_bytes(run.config, run.dtype, run.process.num_threads, work.scratch));
  const bool loads_all = run.format == WeightFormat::kConverted;
  forecast.peaks_in_loading = loads_all && sum_of(loading) > sum_of(steps);
  forecast.memory = forecast.peaks_in_loading ? loading : steps;
}

std::vector<MemoryPart> card_parts(const RunMemory& run, const Work& work) {
  return {{"soft_prompt_bytes",
           "soft prompts",
           card_soft_prompt_bytes(run.config, run.held.virtual_tokens)},
          {"weight_bytes",
           "weights",
           weight_bytes(run.ops, run.config, run.dtype, run.format, run.tensors)},
          {"activation_bytes", "activations", work.bytes.activations.total()},
          {"key_value_bytes", "K/V", work.bytes.key_values.total()},
          {"scratch_bytes", "scratch", card_scratch_bytes(run.config)}};
}

}  // namespace

uint64_t sum_of(const std::vector<MemoryPart>& memory) {
  uint64_t sum = 0;
  for (const MemoryPart& part : memory) sum += part.bytes;
  return sum;
}

RunForecast forecast_run(Recipe& recipe,
                         const BackendTraits& ops,
                         const BaseModelFiles& files,
                         const TrainingData& data) {
  RunMemory run = run_memory(recipe, ops, files, data);
  RunForecast forecast{.plan = least_plan(recipe.training.micro_batch_tokens)};
  const RunPlan least = forecast.plan;
  try {
    forecast.plan = settle_memory(recipe, run);
  } catch (const DeviceError& error) {
    forecast.misfit = error.what();
  }
  recipe.weights = forecast.weights = weights_recipe(run.format);
  forecast.least_bytes = needed_bytes(run, least);
  forecast.work = work_of_run(ops,
                              files.config,
                              compute_dtype(recipe),
                              data,
                              recipe.soft_prompt.num_virtual_tokens,
                              step_options(recipe, forecast.plan, data),
                              tune_options(recipe));
  if (ops.device_memory()) {
    forecast.memory = card_parts(run, forecast.work.whole);
    forecast.host_bytes =
        run.process.resident + run.process.model_file +
        soft_prompt_bytes(run.config, run.held.optimizer, run.held.virtual_tokens);
  } else {
    set_process_memory(run, *files.tensors, forecast.work.whole, forecast);
  }
  return forecast;
}

nlohmann::ordered_json memory_facts(const RunForecast& forecast) {
  nlohmann::ordered_json facts = {
      {"fits", !forecast.misfit},
      {"weights", {{"format", forecast.weights.format}, {"residence", forecast.weights.residence}}},
      {"peak_bytes", sum_of(forecast.memory)},
      {"peaks_in", forecast.peaks_in_loading ? "loading" : "step"}};
  for (const MemoryPart& part : forecast.memory) facts["memory"][part.key] = part.bytes;
  if (forecast.host_bytes > 0) facts["host_bytes"] = forecast.host_bytes;
  facts["max_rows"] = forecast.plan.max_rows;
  facts["kept_layers"] = forecast.plan.kept_layers;
  return facts;
}

}  // namespace prescript
