#include "infer/splice.h"

#include "base/error.h"

namespace prescript {
size_t place_of_soft_prompt(const RenderedExemplar& rendered, PromptPosition position) {
  switch (position) {
    case PromptPosition::kStart:
      return 0;
    case PromptPosition::kAfterBos:
      if (!rendered.has_bos) {
        throw InputError(ExitCode::kModel,
                         "soft_prompt.position: after_bos: this model's text does not begin with a "
                         "BOS token; use start or before_question");
      }
      return 1;
    case PromptPosition::kBeforeQuestion:
      return static_cast<size_t>(rendered.question_token);
  }
  throw ContractError("unknown position");
}

Sequence splice(const RenderedExemplar& rendered, const SplicedPrompt& prompt) {
  const size_t place =
      prompt.num_virtual_tokens > 0 ? place_of_soft_prompt(rendered, prompt.position) : 0;
  const auto P = static_cast<int32_t>(prompt.num_virtual_tokens);
  Sequence sequence;
  sequence.rows.reserve(rendered.ids.size() + prompt.num_virtual_tokens);
  for (size_t i = 0; i <= rendered.ids.size(); ++i) {
    if (i == place) {
      for (int32_t p = 0; p < P; ++p) sequence.rows.push_back(Row::virtual_token(prompt.index, p));
    }
    if (i < rendered.ids.size()) sequence.rows.push_back(Row::token(rendered.ids[i]));
  }
  for (const int32_t target : rendered.targets) {
    sequence.target_positions.push_back(target + (static_cast<size_t>(target) >= place ? P : 0));
  }
  return sequence;
}

HardPrompt hard_prompt_of(const AdapterHardPrompt& kept, const std::string& place) {
  if (kept.format != "chat" && kept.format != "plain") {
    throw InputError(ExitCode::kModel,
                     place + ": format '" + kept.format + "' is not one of chat, plain");
  }
  HardPrompt prompt;
  prompt.instruction_code = ExitCode::kModel;
  prompt.few_shot_code = ExitCode::kModel;
  prompt.format = kept.format == "plain" ? PromptFormat::kPlain : PromptFormat::kChat;
  prompt.instruction = kept.instruction;
  prompt.rationale = kept.rationale;
  prompt.date = kept.date;
  for (size_t i = 0; i < kept.few_shot_json.size(); ++i) {
    const std::string at = place + ": few-shot exemplar " + std::to_string(i);
    try {
      prompt.few_shot.push_back(parse_exemplar(kept.few_shot_json[i], at, /*need_answer=*/true));
    } catch (const InputError& error) {
      throw InputError(ExitCode::kModel, error.what());  // the adapter's fault, not the data's
    }
  }
  return prompt;
}

AdapterHardPrompt kept_form_of(const HardPrompt& prompt) {
  AdapterHardPrompt kept;
  kept.format = prompt.format == PromptFormat::kPlain ? "plain" : "chat";
  kept.instruction = prompt.instruction;
  kept.rationale = prompt.rationale;
  kept.date = prompt.date;
  for (const Exemplar& exemplar : prompt.few_shot) {
    kept.few_shot_json.push_back(exemplar_json(exemplar));
  }
  return kept;
}

}  // namespace prescript
