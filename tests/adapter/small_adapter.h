#pragma once
// An adapter with something in every field, for the tests of its files.

#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "adapter/adapter_files.h"
#include "base/hash.h"
#include "io/json.h"
#include "support/temporary_directory.h"

namespace prescript {

inline Adapter small_adapter(PromptPosition position = PromptPosition::kStart) {
  Adapter adapter;
  adapter.prompt = {.num_virtual_tokens = 2,
                    .hidden_size = 3,
                    .values_PD = {0.1f, -2.5f, 3e-39f, -0.0f, 1e30f, 6.0f}};
  adapter.position = position;
  adapter.dtype = "fp32";
  adapter.identity = {.base_model = "models/tiny \u00fc.gguf",
                      .base_hash = std::string(64, 'a'),
                      .tokenizer_hash = std::string(64, 'b'),
                      .template_hash = "",
                      .architecture = "llama D=3",
                      .num_layers = 3,
                      .num_heads = 4};
  adapter.hard_prompt = {
      .format = "plain",
      .instruction = "Answer \u201ccarefully\u201d.\n",
      .few_shot_json = {R"({"answer":"Rest.","id":"e1","question":"\"digest\": \"0\" ?"})"},
      .rationale = true,
      .date = "2026-01-31"};
  adapter.init_text = "You are a clinician.";
  adapter.provenance = {{"seed", "1"}, {"steps", "60"}};
  adapter.metrics = {{"validation_loss", 0.1}, {"validation_loss_at_start", 2.5e-300}};
  return adapter;
}

/// Writes these files into a new directory.
inline std::string write_files(const TemporaryDirectory& parent,
                               const std::string& name,
                               const std::map<std::string, std::string>& files) {
  std::filesystem::create_directories(parent / name);
  for (const auto& [file, bytes] : files) parent.write(std::filesystem::path(name) / file, bytes);
  return parent / name;
}

/// prescript.json with a change and the digest that belongs to it, as a forger would make it.
template <typename Change>
std::string forged_json(const std::string& text, const Change& change) {
  nlohmann::json parsed = parse_json(text, "forged", ExitCode::kModel);
  change(parsed);
  parsed["digest"] = std::string(64, '0');
  std::string forged = parsed.dump(1);
  // Keys are sorted here: the digest stands first, as the format demands.
  const std::string digest = sha256_hex(std::string_view(forged));
  return forged.replace(forged.find(std::string(64, '0')), 64, digest);
}

}  // namespace prescript
