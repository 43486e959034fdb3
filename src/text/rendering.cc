#include "text/rendering.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "text/utf8.h"

namespace prescript {
namespace {

/// Stands where an answer would, while the text before it is made.
constexpr const char* kStandIn = "answer";

std::string text_of(const Tokenizer& tokenizer, const std::optional<int32_t>& token) {
  return token ? tokenizer.token_bytes(*token) : "";
}

/// In a chat rendering the text of a special token would become that token.
void check_text(const Tokenizer& tokenizer,
                const std::string& place,
                std::string_view text,
                SpecialTokens mode,
                ExitCode code) {
  if (const auto invalid = first_invalid_utf8(text)) {
    throw InputError(
        code,
        place + ": byte " + std::to_string(*invalid) + " is not valid UTF-8; convert the text");
  }
  if (mode == SpecialTokens::kText) return;
  for (const Token& token : tokenizer.encode(text, SpecialTokens::kParse)) {
    if (!tokenizer.is_special(token.id)) continue;
    throw InputError(code,
                     place + ": holds the text of the special token " + tokenizer.piece(token.id) +
                         "; take it out, or use format: plain");
  }
}

void check_texts(const Tokenizer& tokenizer,
                 const Exemplar& exemplar,
                 SpecialTokens mode,
                 ExitCode code = ExitCode::kData) {
  const auto check = [&](const std::string& field, std::string_view text) {
    check_text(tokenizer, exemplar.place + ": " + field, text, mode, code);
  };
  check("question", exemplar.question);
  if (exemplar.context) check("context", *exemplar.context);
  for (const AnswerOption& option : exemplar.options)
    check("options." + option.letter, option.text);
  if (exemplar.answer) check("answer", *exemplar.answer);
  if (exemplar.rationale) check("rationale", *exemplar.rationale);
  for (const auto* turns : {&exemplar.before, &exemplar.between}) {
    for (const ChatMessage& turn : *turns) check("messages", turn.content);
  }
}

size_t end_of(const RenderedExemplar& rendered, size_t token) {
  return token + 1 < rendered.ids.size() ? rendered.byte_begin[token + 1] : rendered.text.size();
}

/// Every token that holds a byte of [begin, end) becomes a target.
void target(RenderedExemplar& rendered, size_t begin, size_t end) {
  for (size_t i = 0; i < rendered.ids.size(); ++i) {
    if (rendered.byte_begin[i] < end && end_of(rendered, i) > begin) {
      rendered.targets.push_back(static_cast<int32_t>(i));
    }
  }
  PRESCRIPT_CHECK(!rendered.targets.empty(), "an answer without tokens");
}

/// What stands behind the last target is not read.
void end_at_last_target(RenderedExemplar& rendered) {
  const auto last = static_cast<size_t>(rendered.targets.back());
  rendered.text.resize(end_of(rendered, last));
  rendered.ids.resize(last + 1);
  rendered.byte_begin.resize(last + 1);
}

}  // namespace

Renderer::Renderer(std::shared_ptr<const Tokenizer> tokenizer,
                   const std::optional<ChatTemplateText>& chat_template,
                   const std::string& place,
                   HardPrompt prompt)
    : tokenizer_(std::move(tokenizer)), place_(place), prompt_(std::move(prompt)) {
  const bool is_chat = prompt_.format == PromptFormat::kChat;
  if (is_chat) {
    if (!chat_template) {
      throw InputError(ExitCode::kModel,
                       place +
                           ": the model has no chat template; use format: plain, which holds one "
                           "question and its answer");
    }
    place_ = chat_template->place;
    template_.emplace(chat_template->text, place_);
    template_hash_ = sha256_hex(chat_template->text);
    template_options_.bos_token = text_of(*tokenizer_, tokenizer_->bos_token());
    template_options_.eos_token = text_of(*tokenizer_, tokenizer_->eos_token());
    if (prompt_.date) template_options_.date = *prompt_.date;
    if (template_->uses_date()) prompt_.date = template_options_.date;  // so that it is recorded
  }
  const SpecialTokens mode = is_chat ? SpecialTokens::kParse : SpecialTokens::kText;
  if (prompt_.instruction) {
    check_text(*tokenizer_, "instruction", *prompt_.instruction, mode, prompt_.instruction_code);
  }
  for (const Exemplar& exemplar : prompt_.few_shot) {
    check_texts(*tokenizer_, exemplar, mode, prompt_.few_shot_code);
  }
}

Layout Renderer::lay_out(const Exemplar& exemplar, const std::string& answer) const {
  check_texts(*tokenizer_, exemplar, template_ ? SpecialTokens::kParse : SpecialTokens::kText);
  if (!template_) return plain_layout(exemplar, prompt_, answer);
  return chat_layout(*template_, template_options_, exemplar, prompt_, answer);
}

RenderedExemplar Renderer::encode(const std::string& text, size_t question_begin) const {
  const auto tokens =
      tokenizer_->encode(text, template_ ? SpecialTokens::kParse : SpecialTokens::kText);
  const std::optional<int32_t> bos = tokenizer_->bos_token();
  RenderedExemplar rendered;
  rendered.text = text;
  if (tokenizer_->adds_bos() && (tokens.empty() || tokens.front().id != *bos)) {
    rendered.ids.push_back(*bos);
    rendered.byte_begin.push_back(0);
  }
  for (const Token& token : tokens) {
    rendered.ids.push_back(token.id);
    rendered.byte_begin.push_back(token.begin);
  }
  rendered.has_bos = bos && !rendered.ids.empty() && rendered.ids.front() == *bos;
  size_t question_token = 0;
  while (question_token < rendered.ids.size() &&
         end_of(rendered, question_token) <= question_begin) {
    ++question_token;
  }
  rendered.question_token = static_cast<int32_t>(question_token);
  return rendered;
}

void Renderer::end_answer(RenderedExemplar& rendered, size_t answer_end) const {
  if (!template_) {
    const std::optional<int32_t> eos = tokenizer_->eos_token();
    if (!eos) {
      throw InputError(
          ExitCode::kModel,
          place_ +
              ": the tokenizer names no end-of-text token, which ends an answer in "
              "format plain; name it in tokenizer_config.json (eos_token), or use format: chat "
              "where there is a chat template");
    }
    rendered.targets.push_back(static_cast<int32_t>(rendered.ids.size()));
    rendered.ids.push_back(*eos);
    rendered.byte_begin.push_back(rendered.text.size());
    return;
  }
  for (size_t i = 0; i < rendered.ids.size(); ++i) {
    if (end_of(rendered, i) <= answer_end || !tokenizer_->is_special(rendered.ids[i])) continue;
    const auto index = static_cast<int32_t>(i);
    if (rendered.targets.back() != index) rendered.targets.push_back(index);
    end_at_last_target(rendered);
    return;
  }
  throw InputError(ExitCode::kModel,
                   place_ +
                       ": the chat template puts no special token behind an answer, so that "
                       "nothing would end it; use format: plain");
}

RenderedExemplar Renderer::training(const Exemplar& exemplar) const {
  const Layout layout = lay_out(exemplar, answer_text(exemplar, prompt_.rationale));
  RenderedExemplar rendered = encode(layout.text, layout.question_begin);
  target(rendered, layout.answer_begin, layout.answer_end);
  end_answer(rendered, layout.answer_end);
  return rendered;
}

RenderedExemplar Renderer::generation(const Exemplar& exemplar) const {
  const Layout layout = lay_out(exemplar, kStandIn);
  std::string text = layout.text.substr(0, layout.answer_begin);
  if (!template_) text.pop_back();  // the space, which belongs to the answer's first token
  return encode(text, layout.question_begin);
}

std::vector<RenderedExemplar> Renderer::options(const Exemplar& exemplar, OptionsBy by) const {
  PRESCRIPT_CHECK(!exemplar.options.empty(), exemplar.place + " has no options");
  const std::string lead = prompt_.rationale ? "Answer: " : "";
  std::vector<RenderedExemplar> all;
  for (const AnswerOption& option : exemplar.options) {
    const std::string choice = by == OptionsBy::kLetter ? "(" + option.letter + ")" : option.text;
    const Layout layout = lay_out(exemplar, lead + choice);
    all.push_back(encode(layout.text, layout.question_begin));
    // White space that the template left out comes before the choice, or is its beginning.
    const size_t begin = std::max(lead.size(), layout.answer_cut) - layout.answer_cut;
    target(all.back(), layout.answer_begin + begin, layout.answer_end);
    end_at_last_target(all.back());
  }
  return all;
}

std::vector<int32_t> Renderer::end_tokens() const {
  Exemplar any;
  any.place = "a question and its answer";
  any.question = "question";
  any.answer = kStandIn;
  return {training(any).ids.back()};
}

std::string Renderer::template_hash() const {
  return template_hash_;
}

}  // namespace prescript
