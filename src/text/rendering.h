#pragma once
// What the model reads: hard prompt, question and answer as ids, with targets and places.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "text/chat_template.h"
#include "text/hard_prompt.h"
#include "text/layout.h"
#include "text/tokenizer.h"

namespace prescript {

/// A rendered exemplar. `ids` end with the last target (end-of-turn or end-of-text), or, for a
/// prompt, where the answer begins.
struct RenderedExemplar {
  std::string text;  // all of it, end-of-turn included; for inspection only
  std::vector<int32_t> ids;
  std::vector<size_t> byte_begin;  // of each id in `text` (BOS and end-of-text: where they stand)
  std::vector<int32_t> targets;    // ascending indices in `ids`; empty for a prompt
  int32_t question_token = 0;      // index of the id that holds Q(e)'s first byte
  bool has_bos = false;            // ids[0] is the BOS token
};

/// What options are scored by.
enum class OptionsBy { kLetter, kText };

/// Renders exemplars for one base model under one hard prompt: training, scoring and generation all
/// read the same text. The whole rendering is tokenised at once, never a part alone.
class Renderer {
 public:
  /// `chat_template` is needed for format chat; `place` is the model, for messages. Throws
  /// InputError(kModel) when format chat finds no template, or one that is not supported;
  /// InputError(kData) when the hard prompt holds the text of a special token (chat) or is not
  /// UTF-8.
  Renderer(std::shared_ptr<const Tokenizer> tokenizer,
           const std::optional<ChatTemplateText>& chat_template,
           const std::string& place,
           HardPrompt prompt);

  /// With the date that the template asks for, if it does.
  const HardPrompt& prompt() const { return prompt_; }

  /// Question and answer. Targets are all tokens that hold a character of A(e), and the end-of-turn
  /// (chat: the first special token behind A) or end-of-text token (plain).
  /// Throws InputError(kData) "place: ..." when the exemplar has no answer, is of a kind that the
  /// format cannot hold, or holds the text of a special token (chat); InputError(kModel) when the
  /// template hides the answer or has no end-of-turn.
  RenderedExemplar training(const Exemplar& exemplar) const;

  /// The same up to A's first byte; in plain less the trailing space.
  RenderedExemplar generation(const Exemplar& exemplar) const;

  /// One rendering per option, with that option as the answer; targets are the tokens of its "(X)"
  /// (or text) only. With `rationale` the answer is "Answer: (X)".
  std::vector<RenderedExemplar> options(const Exemplar& exemplar, OptionsBy by) const;

  /// Special tokens that end an answer in this format, besides the model's own end-of-text ids: the
  /// end-of-turn token of the template. Generation stops at any of them.
  std::vector<int32_t> end_tokens() const;

  /// SHA-256 of the chat template's text; empty in format plain.
  std::string template_hash() const;

 private:
  /// The text with `answer`, for which the exemplar's texts are checked.
  Layout lay_out(const Exemplar& exemplar, const std::string& answer) const;
  /// All of `text` as ids, without targets.
  RenderedExemplar encode(const std::string& text, size_t question_begin) const;
  /// The end-of-turn or end-of-text token becomes the last target and the end.
  void end_answer(RenderedExemplar& rendered, size_t answer_end) const;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::optional<ChatTemplate> template_;  // in format chat
  ChatTemplateOptions template_options_;
  std::string template_hash_;
  std::string place_;
  HardPrompt prompt_;
};

}  // namespace prescript
