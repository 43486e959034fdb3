#pragma once
// A recipe, exemplars and the tiny model on disk: all that `prescript train` needs.

#include <map>
#include <string>

#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {

/// Stands in every question and answer below, and must stand in nothing but the model's own input.
inline constexpr const char* kCanary = "xylophagous";

/// One exemplar as a line.
inline std::string exemplar_line(const std::string& id,
                                 const std::string& question,
                                 const std::string& answer) {
  return R"({"id": ")" + id + R"(", "question": ")" + question + R"(", "answer": ")" + answer +
         "\"}\n";
}

inline std::string training_lines() {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    const std::string number = std::to_string(i);
    text += exemplar_line("t" + number,
                          "Is a " + std::string(kCanary) + " beetle of kind " + number + " ill?",
                          i % 3 == 0 ? "No." : "Yes, it is " + std::string(kCanary) + ".");
  }
  return text;
}

inline std::string validation_lines() {
  std::string text;
  for (const char* kind : {"red", "blue", "green"}) {
    text += exemplar_line(std::string("v-") + kind,
                          "Is a " + std::string(kCanary) + " " + kind + " beetle ill?",
                          "Yes, it is.");
  }
  return text;
}

/// Writes tiny/, train.jsonl, validation.jsonl and recipe.yaml into `directory`. The recipe's paths
/// are relative to it, its output is `runs/out`; all that could differ from machine to machine is
/// set. Returns the recipe's name.
inline std::string write_tiny_training(const TemporaryDirectory& directory,
                                       const TinyModelOptions& model = {}) {
  write_tiny_model(directory / "tiny", model);
  directory.write("train.jsonl", training_lines());
  directory.write("validation.jsonl", validation_lines());
  directory.write("recipe.yaml", R"(base_model: tiny
dtype: fp32
soft_prompt:
  num_virtual_tokens: 4
  init: {from: vocabulary}
data:
  train: train.jsonl
  validation: validation.jsonl
optimizer: {learning_rate: 0.05, weight_decay: 0, clip_norm: 1, schedule: constant}
training:
  steps: 6
  batch_size: 5
  micro_batch_tokens: 1024
  memory_gb: 1
  threads: 1
  seed: 7
  evaluate_every: 2
  checkpoint_every: 2
output: runs/out
)");
  return "recipe.yaml";
}

/// The files below a directory by their relative names, with their bytes; directories end with /.
inline std::map<std::string, std::string> files_below(const std::string& dir) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(dir)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    const std::string name = std::filesystem::relative(entry.path(), dir).string();
    if (entry.is_directory()) {
      files[name + "/"];
    } else {
      files[name] = bytes_of_file(entry.path().string());
    }
  }
  return files;
}

}  // namespace prescript
