#include "text/layout.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/white_space.h"

namespace prescript {
namespace {

/// Texts that no template knows and that differ in every byte: what two renderings with them have
/// in common is what stands before and behind the turn.
constexpr std::string_view kStandIns[] = {"Qz7vXw2nKd", "pB3hRs9cLm"};

struct Turn {
  size_t begin;
  size_t end;
  size_t cut;  // bytes left out at its beginning
};

class Conversation {
 public:
  Conversation(const ChatTemplate& chat_template,
               const ChatTemplateOptions& options,
               const std::string& place,
               std::vector<ChatMessage> turns)
      : template_(chat_template),
        options_(options),
        place_(place),
        turns_(std::move(turns)),
        text_(render(turns_)) {}

  const std::string& text() const { return text_; }

  /// Where the text has turn `index`.
  Turn find(size_t index) const {
    const std::string one = render_with(index, kStandIns[0]);
    const std::string other = render_with(index, kStandIns[1]);
    const auto before = static_cast<size_t>(
        std::mismatch(one.begin(), one.end(), other.begin(), other.end()).first - one.begin());
    const size_t with_behind = before + kStandIns[0].size();
    const bool is_whole = one.size() == other.size() && one.size() >= with_behind &&
                          one.substr(before, kStandIns[0].size()) == kStandIns[0] &&
                          other.substr(before, kStandIns[1].size()) == kStandIns[1] &&
                          one.substr(with_behind) == other.substr(with_behind);
    if (!is_whole) fail(index);

    const size_t behind = one.size() - with_behind;
    const bool fits = text_.size() >= before + behind &&
                      text_.compare(0, before, one, 0, before) == 0 &&
                      text_.compare(text_.size() - behind, behind, one, with_behind) == 0;
    if (!fits) fail(index);
    const size_t end = text_.size() - behind;
    const std::string_view kept = std::string_view(text_).substr(before, end - before);
    const std::string_view content = turns_[index].content;
    const size_t cut = content.find(kept);
    if (cut == std::string_view::npos || !is_blank(content.substr(0, cut)) ||
        !is_blank(content.substr(cut + kept.size()))) {
      fail(index);
    }
    return {before, end, cut};
  }

  [[noreturn]] void fail(size_t index) const {
    throw InputError(ExitCode::kModel,
                     place_ + ": the chat template changes turn " + std::to_string(index + 1) +
                         " of " + std::to_string(turns_.size()) + " (" + turns_[index].role +
                         ") depending on its text, leaves it out or moves it; use format: plain" +
                         (turns_.size() > 2 ? " without that turn" : ""));
  }

 private:
  std::string render(const std::vector<ChatMessage>& turns) const {
    try {
      return template_.render(turns, options_);
    } catch (const InputError& error) {
      throw InputError(error.code(), place_ + ": " + error.what());
    }
  }

  std::string render_with(size_t index, std::string_view content) const {
    std::vector<ChatMessage> turns = turns_;
    turns[index].content = content;
    return render(turns);
  }

  const ChatTemplate& template_;
  const ChatTemplateOptions& options_;
  const std::string& place_;
  std::vector<ChatMessage> turns_;
  std::string text_;
};

}  // namespace

Layout plain_layout(const Exemplar& exemplar, const HardPrompt& prompt, const std::string& answer) {
  if (!exemplar.before.empty() || !exemplar.between.empty()) {
    throw InputError(ExitCode::kData,
                     exemplar.place +
                         ": messages: format plain holds one question and its answer, not a system "
                         "message or several turns; leave it out, or use format: chat with a model "
                         "that has a chat template");
  }
  Message message = message_of(exemplar, prompt);
  message.text += prompt.rationale ? "\nExplanation: " : "\nAnswer: ";
  Layout layout;
  layout.question_begin = message.question_begin;
  layout.answer_begin = message.text.size();
  layout.text = message.text + answer;
  layout.answer_end = layout.text.size();
  return layout;
}

Layout chat_layout(const ChatTemplate& chat_template,
                   const ChatTemplateOptions& options,
                   const Exemplar& exemplar,
                   const HardPrompt& prompt,
                   const std::string& answer) {
  const Message message = message_of(exemplar, prompt);
  std::vector<ChatMessage> turns = exemplar.before;
  turns.push_back({"user", message.text});
  turns.insert(turns.end(), exemplar.between.begin(), exemplar.between.end());
  turns.push_back({"assistant", answer});

  const Conversation conversation(chat_template, options, exemplar.place, turns);
  const size_t last = turns.size() - 1;
  const Turn found = conversation.find(last);
  Layout layout{conversation.text(), 0, found.begin, found.end, found.cut};
  for (size_t i = 0; i < last; ++i) {
    const Turn turn = conversation.find(i);
    if (turn.end > layout.answer_begin) conversation.fail(i);
    if (i == exemplar.before.size()) {
      layout.question_begin = turn.begin + std::max(message.question_begin, turn.cut) - turn.cut;
    }
  }
  return layout;
}

}  // namespace prescript
