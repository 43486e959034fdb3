#include "text/jinja_arguments.h"

#include <algorithm>

#include "text/jinja_access.h"
#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

const std::string& checked_ascii(Run& run, const std::string& text) {
  run.spend_bytes(text.size());
  if (!is_ascii(text)) run.fail("changing the case of text beyond ASCII is not supported");
  return text;
}

bool is_absent(const std::optional<Value>& argument) {
  return !argument || std::holds_alternative<None>(*argument);
}

}  // namespace

std::optional<std::string> text_argument(Run& run, const std::optional<Value>& argument) {
  if (is_absent(argument)) return std::nullopt;
  const std::string* text = as_text(*argument);
  if (text == nullptr) run.fail("expected a string as argument, found " + kind_of(*argument));
  return *text;
}

std::optional<int64_t> whole_argument(Run& run, const std::optional<Value>& argument) {
  if (is_absent(argument)) return std::nullopt;
  const int64_t* whole = std::get_if<int64_t>(&*argument);
  if (whole == nullptr)
    run.fail("expected a whole number as argument, found " + kind_of(*argument));
  return *whole;
}

Value replaced(Run& run,
               const std::string& text,
               const std::string& old_text,
               const std::string& new_text,
               int64_t count) {
  if (old_text.empty()) run.fail("replacing the empty string is not supported");
  run.spend_bytes(text.size());
  const size_t max_count = count < 0 ? SIZE_MAX : static_cast<size_t>(count);
  const auto parts = split(text, old_text, max_count);
  run.check_bytes(text.size() + (parts.size() - 1) * new_text.size());
  std::string result;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) result += new_text;
    result += parts[i];
  }
  return text_value(run, std::move(result));
}

Value upper_case(Run& run, const std::string& text) {
  return text_value(run, ascii_upper(checked_ascii(run, text)));
}

Value lower_case(Run& run, const std::string& text) {
  return text_value(run, ascii_lower(checked_ascii(run, text)));
}

Value capitalized(Run& run, const std::string& text) {
  std::string result = ascii_lower(checked_ascii(run, text));
  return text_value(
      run, ascii_upper(result.substr(0, 1)) + result.substr(std::min<size_t>(1, result.size())));
}

Value named_item(Run& run, const Value& value, const std::string& name) {
  const bool is_path = name.find('.') != std::string::npos;
  if (is_path || name.find_first_not_of("0123456789") == std::string::npos)
    run.fail("a path or number instead of an attribute's name is not supported");
  return item(run, value, text_value(name), nullptr);
}

Value join_items(Run& run, const std::string& separator, const std::vector<Value>& items) {
  std::string result;
  for (size_t i = 0; i < items.size(); ++i) {
    run.spend_bytes(separator.size());
    if (i > 0) result += separator;
    append_text(run, items[i], result);
  }
  return text_value(run, std::move(result));
}

}  // namespace prescript::jinja
