#pragma once
// What a run feeds: exemplars read, the few-shot ones drawn, all rendered and checked.

#include <optional>
#include <string>
#include <vector>

#include "infer/base_model_files.h"
#include "infer/splice.h"
#include "text/rendering.h"

namespace prescript {

struct TrainingDataOptions {
  std::string train_path = {};
  std::optional<std::string> validation_path = {};
  PromptFormat format = PromptFormat::kChat;
  std::optional<std::string> instruction = {};
  int64_t few_shot = 0;
  bool rationale = false;
  std::optional<std::string> date = {};
  uint64_t seed = 1;  // of the few-shot draw
  /// Exemplars beside those of the file, behind them; none becomes a few-shot exemplar.
  std::vector<Exemplar> planted = {};
  int64_t num_virtual_tokens = 0;
  PromptPosition position = PromptPosition::kStart;
};

/// One rendered exemplar of a run.
struct TrainingExemplar {
  std::string id;
  RenderedExemplar rendered;
};

struct TrainingData {
  HardPrompt hard_prompt;                    // few-shot exemplars drawn
  std::vector<TrainingExemplar> train;       // few-shot exemplars left out
  std::vector<TrainingExemplar> validation;  // empty: none given
  std::vector<int32_t> end_tokens;           // what ends an answer in this rendering
  std::string template_hash;                 // SHA-256 of the chat template; empty in format plain
  std::string train_hash;                    // SHA-256 of the files
  std::string validation_hash;
  /// The rows of text that stand before the soft prompt in every exemplar, training or validation.
  std::vector<Row> head_start;
  /// Exemplars of both files that were left out since their review has not accepted them.
  int64_t not_accepted = 0;
  int64_t without_rationale = 0;           // exemplars that have none though rationale is true
  std::vector<std::string> unused_fields;  // fields of the files that nothing reads, sorted
};

/// Takes `count` exemplars out of `exemplars`, drawn by seed; both keep the order of the file.
/// Throws InputError(kData) naming `path` where none would be left.
std::vector<Exemplar> draw_few_shot(std::vector<Exemplar>& exemplars,
                                    int64_t count,
                                    uint64_t seed,
                                    const std::string& path);

/// Draws `few_shot` exemplars of the training set by seed: they go into the hard prompt and leave
/// the set. Throws InputError(kData) naming an exemplar that is longer than the model's context, a
/// training set that the draw or reviews leave empty, and as read_exemplars and Renderer do.
TrainingData load_training_data(const BaseModelFiles& base, const TrainingDataOptions& options);

}  // namespace prescript
