#pragma once
// What a run will compute and hold in memory, before any weights are loaded.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "infer/base_model_files.h"
#include "recipe/recipe.h"
#include "train/run_work.h"

namespace prescript {

/// A part of what is held at the peak, of the card where the backend has one, else of the process.
struct MemoryPart {
  const char* key;
  const char* label;
  uint64_t bytes;
};

uint64_t sum_of(const std::vector<MemoryPart>& memory);

struct RunForecast {
  std::optional<std::string> misfit = {};  // why it does not fit into memory
  RunPlan plan = {};                       // where it does not, the one that takes the least
  WeightsRecipe weights = {};              // as settled, or the last that was tried
  RunWork work = {};
  std::vector<MemoryPart> memory = {};
  bool peaks_in_loading = false;  // and not in a step
  uint64_t host_bytes = 0;        // of the process beside a card's memory; 0 without a card
  uint64_t least_bytes = 0;       // that would do: the smallest passes, with nothing kept
};

/// Of a resolved recipe, whose memory it settles where the run fits. `ops` need not be here.
RunForecast forecast_run(Recipe& recipe,
                         const BackendTraits& ops,
                         const BaseModelFiles& files,
                         const TrainingData& data);

/// {"fits", "weights", "peak_bytes", "peaks_in", "memory", "max_rows", "kept_layers"}, and
/// "host_bytes" beside a card's.
nlohmann::ordered_json memory_facts(const RunForecast& forecast);

}  // namespace prescript
