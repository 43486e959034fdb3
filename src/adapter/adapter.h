#pragma once
// An adapter: an exported soft prompt with everything needed to use it rightly, or to refuse to.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adapter/position.h"
#include "adapter/soft_prompt.h"

namespace prescript {

/// What the adapter was trained on. Empty hashes are unknown (an adapter that PEFT wrote).
struct AdapterIdentity {
  std::string base_model;  // as the recipe names it
  std::string base_hash;   // SHA-256 of the weight files
  std::string tokenizer_hash;
  std::string template_hash;  // empty in format plain
  std::string
      architecture;  // "llama D=576 layers=30 ...": another file of the same model agrees in it
  int64_t num_layers = 0;  // PEFT's configuration names both; 0: unknown
  int64_t num_heads = 0;
};

/// The hard prompt it was trained with, which score and generate use unless told otherwise.
struct AdapterHardPrompt {
  std::string format = "chat";  // chat | plain
  std::optional<std::string> instruction;
  std::vector<std::string>
      few_shot_json;  // the drawn exemplars, one JSON object each (section 6 of DESIGN)
  bool rationale = false;
  std::optional<std::string> date;  // data.date, for strftime_now
};

struct Adapter {
  SoftPrompt prompt;
  PromptPosition position = PromptPosition::kStart;
  std::string dtype = "bf16";  // compute dtype of its training
  AdapterIdentity identity;
  AdapterHardPrompt hard_prompt;
  std::string init_text;  // for PEFT's prompt_tuning_init_text; empty unless initialised from text
  std::map<std::string, std::string>
      provenance;                         // seed, data hashes, steps, version of prescript, ...
  std::map<std::string, double> metrics;  // validation losses
  bool has_prescript_json =
      false;  // false: written by PEFT, nothing of the above but the prompt is known
};

}  // namespace prescript
