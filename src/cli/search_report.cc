#include "cli/search_report.h"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/run_display.h"
#include "cli/terminal.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// A setting as the recipe writes it.
std::string setting_text(const Recipe& recipe, const std::string& path) {
  for (const auto& [key, value] : recipe_settings(recipe)) {
    if (key == path) return value;
  }
  throw ContractError(path + " is no setting");
}

struct CandidateTexts {
  std::string learning_rate;
  std::string weight_decay;
  std::string seed;
};

CandidateTexts texts_of(const Recipe& candidate) {
  return {setting_text(candidate, "optimizer.learning_rate"),
          setting_text(candidate, "optimizer.weight_decay"),
          setting_text(candidate, "training.seed")};
}

using Line = std::array<std::string, 8>;

Line line_of(size_t number, const Recipe& candidate, const CandidateState& state, bool is_best) {
  const CandidateTexts texts = texts_of(candidate);
  std::string remark = is_best ? "the best" : "";
  if (state.failed_step) remark = "not finite at step " + std::to_string(*state.failed_step);
  return {std::to_string(number),
          texts.learning_rate,
          texts.weight_decay,
          texts.seed,
          std::to_string(state.optimizer.num_steps),
          state.best_loss ? std::to_string(state.best_step) : "-",
          state.best_loss ? rounded(*state.best_loss, 4) : "-",
          remark};
}

ordered_json number_or_null(const auto& number) {
  return number ? ordered_json(*number) : ordered_json();
}

}  // namespace

std::string describe_candidate(const Recipe& recipe, size_t candidate) {
  const CandidateTexts texts = texts_of(candidates_of(recipe).at(candidate));
  return "candidate " + std::to_string(candidate + 1) + " (learning rate " + texts.learning_rate +
         ", weight decay " + texts.weight_decay + ", seed " + texts.seed + ")";
}

void write_search_table(const Recipe& recipe, const RunState& state) {
  const std::vector<Recipe> candidates = candidates_of(recipe);
  const size_t best = best_candidate(state);
  std::vector<Line> lines = {{"candidate",
                              "learning rate",
                              "weight decay",
                              "seed",
                              "steps",
                              "best step",
                              "validation loss",
                              ""}};
  for (size_t c = 0; c < candidates.size(); ++c) {
    lines.push_back(line_of(c + 1, candidates[c], state.candidates.at(c), c == best));
  }
  std::array<size_t, std::tuple_size_v<Line>> widths{};
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  for (const Line& line : lines) {
    std::string text;
    for (size_t i = 0; i + 1 < line.size(); ++i) {
      text += (i == 0 ? "" : "  ") + std::string(widths[i] - line[i].size(), ' ') + line[i];
    }
    write_result(line.back().empty() ? text : text + "  " + line.back());
  }
}

std::string search_json(const Recipe& recipe, const RunState& state) {
  const std::vector<Recipe> candidates = candidates_of(recipe);
  ordered_json document = {{"best", best_candidate(state) + 1},
                           {"candidates", ordered_json::array()}};
  for (size_t c = 0; c < candidates.size(); ++c) {
    const CandidateState& candidate = state.candidates.at(c);
    document["candidates"].push_back(
        {{"candidate", c + 1},
         {"learning_rate", candidates[c].optimizer.learning_rate.value()},
         {"weight_decay", candidates[c].optimizer.weight_decay},
         {"seed", candidates[c].training.seed},
         {"steps", candidate.optimizer.num_steps},
         {"best_step", candidate.best_loss ? ordered_json(candidate.best_step) : ordered_json()},
         {"validation_loss", number_or_null(candidate.best_loss)},
         {"validation_loss_at_start", number_or_null(candidate.loss_at_start)},
         {"failed_step", number_or_null(candidate.failed_step)}});
  }
  return document.dump(2) + "\n";
}

}  // namespace prescript
