// What prescript inspect says about an adapter.

#include <algorithm>
#include <cmath>
#include <numeric>

#include <nlohmann/json.hpp>

#include "adapter/adapter_files.h"
#include "adapter/deferral.h"
#include "cli/inspect.h"
#include "infer/splice.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;

/// Euclidean norms of the virtual tokens: rows far longer than the vocabulary's tell of a training
/// that went astray.
ordered_json row_norms(const SoftPrompt& prompt) {
  std::vector<double> norms;
  for (int64_t row = 0; row < prompt.num_virtual_tokens; ++row) {
    const auto begin = prompt.values_PD.begin() + row * prompt.hidden_size;
    norms.push_back(std::sqrt(std::inner_product(begin, begin + prompt.hidden_size, begin, 0.0)));
  }
  const auto [least, most] = std::minmax_element(norms.begin(), norms.end());
  return {{"min", *least},
          {"mean",
           std::accumulate(norms.begin(), norms.end(), 0.0) / static_cast<double>(norms.size())},
          {"max", *most}};
}

ordered_json text_or_null(const std::optional<std::string>& text) {
  return text ? ordered_json(*text) : ordered_json();
}

/// Of few-shot exemplars the ids: their text may be confidential.
ordered_json hard_prompt_facts(const AdapterHardPrompt& kept, const std::string& dir) {
  ordered_json ids = ordered_json::array();
  for (const Exemplar& exemplar : hard_prompt_of(kept, dir).few_shot) ids.push_back(exemplar.id);
  return {{"format", kept.format},
          {"instruction", text_or_null(kept.instruction)},
          {"few_shot", ids},
          {"rationale", kept.rationale},
          {"date", text_or_null(kept.date)}};
}

ordered_json identity_facts(const AdapterIdentity& identity) {
  return {{"base_model", identity.base_model},
          {"base_hash", identity.base_hash},
          {"architecture", identity.architecture},
          {"tokenizer_hash", identity.tokenizer_hash},
          {"template_hash", identity.template_hash}};
}

}  // namespace

ordered_json inspect_adapter(const std::string& dir) {
  const Adapter adapter = read_adapter(dir);
  ordered_json facts = {{"kind", "adapter"},
                        {"path", dir},
                        {"written_by", adapter.has_prescript_json ? "prescript" : "PEFT"},
                        {"num_virtual_tokens", adapter.prompt.num_virtual_tokens},
                        {"hidden_size", adapter.prompt.hidden_size},
                        {"position", name_of(adapter.position)},
                        {"row_norms", row_norms(adapter.prompt)}};
  if (!adapter.init_text.empty()) facts["init_text"] = adapter.init_text;
  if (!adapter.has_prescript_json) return facts;
  facts["dtype"] = adapter.dtype;
  facts["hard_prompt"] = hard_prompt_facts(adapter.hard_prompt, dir);
  facts["identity"] = identity_facts(adapter.identity);
  facts["metrics"] = adapter.metrics;
  facts["provenance"] = adapter.provenance;
  const auto deferral = deferral_of(adapter, dir);
  if (!deferral) return facts;
  facts["provenance"].erase("deferral");  // it may hold exemplars
  facts["deferral"] = {{"vote_share", deferral->vote_share},
                       {"num_samples", deferral->num_samples},
                       {"temperature", deferral->temperature},
                       {"max_new_tokens", deferral->max_new_tokens},
                       {"hard_prompt", hard_prompt_facts(deferral->hard_prompt, dir)},
                       {"target_accuracy", deferral->target_accuracy},
                       {"accuracy", deferral->accuracy},
                       {"deferral_rate", deferral->deferral_rate},
                       {"num_questions", deferral->num_questions},
                       {"task", deferral->task},
                       {"questions_sha256", deferral->questions_sha256}};
  return facts;
}

}  // namespace prescript
