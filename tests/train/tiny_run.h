#pragma once
// Exemplars and soft prompts for runs on the tiny model, without the text side.

#include <string>
#include <vector>

#include "support/matrix.h"
#include "support/tiny_model.h"
#include "train/training_data.h"

namespace prescript {

/// Question and answer as the tiny model's tokens, which are bytes; targets are the answer and the
/// end of text. With `with_bos` a token stands before the question and counts as BOS.
inline TrainingExemplar tiny_exemplar(const std::string& id,
                                      const std::string& question,
                                      const std::string& answer,
                                      bool with_bos = false) {
  TrainingExemplar exemplar{.id = id, .rendered = {}};
  RenderedExemplar& rendered = exemplar.rendered;
  if (with_bos) rendered.ids.push_back(kTinyTurnBegins);
  rendered.has_bos = with_bos;
  const std::string instruction = "Answer with care. ";
  rendered.question_token = static_cast<int32_t>(rendered.ids.size() + instruction.size());
  for (const unsigned char byte : instruction + question) rendered.ids.push_back(byte);
  for (const unsigned char byte : answer) {
    rendered.targets.push_back(static_cast<int32_t>(rendered.ids.size()));
    rendered.ids.push_back(byte);
  }
  rendered.targets.push_back(static_cast<int32_t>(rendered.ids.size()));
  rendered.ids.push_back(kTinyEndOfText);
  return exemplar;
}

inline std::vector<TrainingExemplar> tiny_exemplars(bool with_bos = false) {
  return {tiny_exemplar("fever", "Is 40 degrees a fever? ", "Yes. See a doctor.", with_bos),
          tiny_exemplar("water", "Is 40 degrees warm water? ", "Yes.", with_bos),
          tiny_exemplar("rash", "What helps a rash? ", "Cold.", with_bos),
          tiny_exemplar("sleep", "How long should I sleep? ", "Eight hours.", with_bos),
          tiny_exemplar("again", "How long should I sleep? ", "7 h", with_bos)};
}

inline std::vector<const TrainingExemplar*> pointers(
    const std::vector<TrainingExemplar>& exemplars) {
  std::vector<const TrainingExemplar*> result;
  for (const TrainingExemplar& exemplar : exemplars) result.push_back(&exemplar);
  return result;
}

/// Rows of the embedding's scale.
inline SoftPrompt tiny_prompt(int64_t num_virtual_tokens, uint64_t seed = 1) {
  const int64_t D = TinyModelOptions().hidden_size;
  const Matrix rows = random_matrix(num_virtual_tokens, D, "tiny prompt", 0.4, 0, seed);
  return {num_virtual_tokens, D, {rows.values.begin(), rows.values.end()}};
}

inline Matrix matrix_of(const SoftPrompt& prompt) {
  Matrix x(prompt.num_virtual_tokens, prompt.hidden_size);
  x.values.assign(prompt.values_PD.begin(), prompt.values_PD.end());
  return x;
}

/// The sequence that an exemplar and a soft prompt must become, spliced here once more by hand.
inline Sequence expected_sequence(const RenderedExemplar& rendered,
                                  int32_t num_virtual_tokens,
                                  PromptPosition position) {
  const int32_t place = position == PromptPosition::kStart      ? 0
                        : position == PromptPosition::kAfterBos ? 1
                                                                : rendered.question_token;
  Sequence sequence;
  for (const int32_t id : rendered.ids) sequence.rows.push_back(Row::token(id));
  for (int32_t i = 0; i < num_virtual_tokens; ++i) {
    sequence.rows.insert(sequence.rows.begin() + place + i, Row::virtual_token(0, i));
  }
  for (const int32_t target : rendered.targets) {
    sequence.target_positions.push_back(target + num_virtual_tokens);
  }
  return sequence;
}

}  // namespace prescript
