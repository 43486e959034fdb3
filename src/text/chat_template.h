#pragma once
// Chat templates: the part of Jinja that models' templates use, interpreted under limits.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/exemplar.h"

namespace prescript {

/// A model's own template.
struct ChatTemplateText {
  std::string text;
  std::string place;  // where it stands, for messages
};

/// What a template may read besides the messages.
struct ChatTemplateOptions {
  bool add_generation_prompt = false;
  std::string bos_token;  // their text; empty where the tokenizer has none
  std::string eos_token;
  std::string date = "2025-01-01";  // what strftime_now formats, YYYY-MM-DD
};

/// A parsed template. Immutable; may be rendered by several threads at once. It sees messages, the
/// options above and its own variables: no host object, no file, no clock.
class ChatTemplate {
 public:
  /// The way transformers sets Jinja up: trim_blocks, lstrip_blocks, loop controls,
  /// `raise_exception` and `strftime_now`. Throws InputError(kModel) "place:line: ..." for a syntax
  /// error and, by its name, for a construct that is not supported, with the way out (`format:
  /// plain`).
  ChatTemplate(const std::string& text, const std::string& place);
  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// Throws InputError(kModel) when the template raises an exception (of its message, ours has the
  /// parts that stand in the template, never the conversation's), uses a value in a way that Jinja
  /// refuses too, or exceeds its limits: 1e6 steps, depth 64, 1 MB of output beyond the messages'
  /// own length. The messages are UTF-8.
  std::string render(std::span<const ChatMessage> messages,
                     const ChatTemplateOptions& options) const;

  /// Whether rendering asks for the date (the name strftime_now occurs): then the date is recorded.
  bool uses_date() const;

 private:
  struct Program;
  std::unique_ptr<const Program> program_;
};

}  // namespace prescript
