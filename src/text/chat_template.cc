#include "text/chat_template.h"

#include <utility>

#include "base/error.h"
#include "text/jinja_date.h"
#include "text/jinja_interpreter.h"
#include "text/jinja_parser.h"
#include "text/utf8.h"

namespace prescript {
namespace {

using jinja::text_value;
using jinja::Value;

Value message_list(jinja::Run& run, std::span<const ChatMessage> messages) {
  std::vector<Value> list;
  for (const ChatMessage& message : messages) {
    list.push_back(jinja::dict_value(run,
                                     {{text_value("role"), text_value(message.role)},
                                      {text_value("content"), text_value(message.content)}}));
  }
  return jinja::sequence_value(run, jinja::SequenceKind::kList, std::move(list));
}

}  // namespace

struct ChatTemplate::Program {
  std::string place;
  jinja::Block block;
  bool uses_date;
};

ChatTemplate::ChatTemplate(const std::string& text, const std::string& place) {
  if (first_invalid_utf8(text)) jinja::fail_at(place, 1, "the chat template is not UTF-8");
  program_ = std::make_unique<const Program>(
      Program{place, jinja::parse(text, place), text.find("strftime_now") != std::string::npos});
}

ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 const ChatTemplateOptions& options) const {
  PRESCRIPT_CHECK(jinja::is_date(options.date),
                  "the date " + options.date + " is no day as YYYY-MM-DD");
  size_t bytes = 0;
  for (const ChatMessage& message : messages) {
    PRESCRIPT_CHECK(!first_invalid_utf8(message.role) && !first_invalid_utf8(message.content),
                    "a message is not UTF-8");
    bytes += message.role.size() + message.content.size();
  }
  jinja::Run run(program_->place, bytes + (size_t{1} << 20));
  jinja::Context context;
  context.date = options.date;
  auto& variables = context.variables;
  variables["messages"] = message_list(run, messages);
  variables["tools"] = jinja::None{};
  variables["documents"] = jinja::None{};
  variables["add_generation_prompt"] = options.add_generation_prompt;
  if (!options.bos_token.empty()) variables["bos_token"] = text_value(options.bos_token);
  if (!options.eos_token.empty()) variables["eos_token"] = text_value(options.eos_token);
  return jinja::render(program_->block, context, run);
}

bool ChatTemplate::uses_date() const {
  return program_->uses_date;
}

}  // namespace prescript
