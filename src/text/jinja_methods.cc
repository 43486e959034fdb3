#include <algorithm>
#include <iterator>

#include "text/jinja_arguments.h"
#include "text/jinja_builtin.h"
#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

[[noreturn]] void fail_receiver(Run& run, const Value& input) {
  run.fail(is_undefined(input) ? undefined_message(input) : kind_of(input) + " has no such method");
}

const std::string& text_of(Run& run, const Value& input) {
  const std::string* text = as_text(input);
  if (text == nullptr) fail_receiver(run, input);
  return *text;
}

const Dict& dict_of(Run& run, const Value& input) {
  const Dict* dict = as_dict(input);
  if (dict == nullptr) fail_receiver(run, input);
  return *dict;
}

template <Side side>
Value strip_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& text = text_of(run, input);
  const auto chars = text_argument(run, arguments[0]);
  run.spend_bytes(text.size() * (chars ? std::max<size_t>(1, chars->size()) : 1));
  return text_value(run, std::string(strip(text, chars, side)));
}

Value split_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& text = text_of(run, input);
  const auto separator = text_argument(run, arguments[0]);
  if (separator && separator->empty()) run.fail("splitting at the empty string");
  const int64_t max_splits = whole_argument(run, arguments[1]).value_or(-1);
  run.spend_bytes(text.size());
  std::vector<Value> parts;
  for (const std::string_view part :
       split(text, separator, max_splits < 0 ? SIZE_MAX : static_cast<size_t>(max_splits)))
    parts.push_back(text_value(std::string(part)));
  return sequence_value(run, SequenceKind::kList, std::move(parts));
}

/// startswith and endswith take a tuple of strings too.
template <bool at_start>
Value affix_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& text = text_of(run, input);
  const Sequence* tuple = as_sequence(*arguments[0]);
  const auto matches = [&](const Value& value) {
    const std::string* affix = as_text(value);
    if (affix == nullptr) run.fail("expected a string as argument, found " + kind_of(value));
    run.spend_bytes(affix->size());
    return at_start ? text.starts_with(*affix) : text.ends_with(*affix);
  };
  if (tuple == nullptr || tuple->kind != SequenceKind::kTuple) return matches(*arguments[0]);
  return std::any_of(tuple->items.begin(), tuple->items.end(), matches);
}

Value find_method_of_text(Run& run, const Value& input, Arguments arguments) {
  const std::string& text = text_of(run, input);
  const std::string part = text_argument(run, arguments[0]).value_or("");
  run.spend_bytes(text.size());
  const size_t found = find_text(text, part);
  if (found == std::string::npos) return int64_t{-1};
  return static_cast<int64_t>(Characters(std::string_view(text).substr(0, found)).size());
}

Value count_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& text = text_of(run, input);
  const auto part = text_argument(run, arguments[0]);
  if (!part || part->empty()) run.fail("counting this is not supported");
  run.spend_bytes(text.size());
  return static_cast<int64_t>(split(text, part, SIZE_MAX).size()) - 1;
}

Value replace_method(Run& run, const Value& input, Arguments arguments) {
  return replaced(run,
                  text_of(run, input),
                  text_argument(run, arguments[0]).value_or(""),
                  text_argument(run, arguments[1]).value_or(""),
                  whole_argument(run, arguments[2]).value_or(-1));
}

Value upper_method(Run& run, const Value& input, Arguments) {
  return upper_case(run, text_of(run, input));
}

Value lower_method(Run& run, const Value& input, Arguments) {
  return lower_case(run, text_of(run, input));
}

Value capitalize_method(Run& run, const Value& input, Arguments) {
  return capitalized(run, text_of(run, input));
}

/// str.title: an upper-case letter where the character before it is no letter.
Value title_method(Run& run, const Value& input, Arguments) {
  std::string text = *as_text(lower_case(run, text_of(run, input)));
  bool in_word = false;
  for (char& c : text) {
    const bool is_letter = c >= 'a' && c <= 'z';
    if (is_letter && !in_word) c = static_cast<char>(c - 'a' + 'A');
    in_word = is_letter;
  }
  return text_value(run, std::move(text));
}

Value join_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& separator = text_of(run, input);
  const std::vector<Value> items = items_of(run, *arguments[0]);
  for (const Value& value : items) {
    if (as_text(value) == nullptr) run.fail("join: expected strings, found " + kind_of(value));
  }
  return join_items(run, separator, items);
}

/// str.format with {} only.
Value format_method(Run& run, const Value& input, Arguments arguments) {
  const std::string& form = text_of(run, input);
  std::string result;
  size_t next = 0;
  for (size_t i = 0; i < form.size(); ++i) {
    const std::string_view pair = std::string_view(form).substr(i, 2);
    if (pair == "{}") {
      if (next == arguments.size() || !arguments[next]) run.fail("format: an argument is missing");
      append_text(run, *arguments[next++], result);
      ++i;
    } else if (pair == "{{" || pair == "}}") {
      result += form[i++];
    } else if (form[i] == '{' || form[i] == '}') {
      run.fail("format: only {} is supported");
    } else {
      result += form[i];
    }
  }
  return text_value(run, std::move(result));
}

Value items_method(Run& run, const Value& input, Arguments) {
  std::vector<Value> items;
  for (const auto& [key, value] : dict_of(run, input).entries)
    items.push_back(sequence_value(run, SequenceKind::kTuple, {key, value}));
  return sequence_value(run, SequenceKind::kView, std::move(items));
}

Value keys_method(Run& run, const Value& input, Arguments) {
  dict_of(run, input);
  return sequence_value(run, SequenceKind::kView, items_of(run, input));
}

Value values_method(Run& run, const Value& input, Arguments) {
  std::vector<Value> values;
  for (const auto& entry : dict_of(run, input).entries) values.push_back(entry.second);
  return sequence_value(run, SequenceKind::kView, std::move(values));
}

Value get_method(Run& run, const Value& input, Arguments arguments) {
  const Value* value = find_entry(run, dict_of(run, input), *arguments[0]);
  if (value != nullptr) return *value;
  return arguments[1] ? *arguments[1] : Value(None{});
}

/// What Jinja's sandbox refuses as well.
Value change_method(Run& run, const Value& input, Arguments) {
  if (is_undefined(input)) fail_receiver(run, input);
  run.fail("a template cannot change " + kind_of(input));
}

const Builtin kMethods[] = {
    {"strip", {"chars"}, 0, strip_method<Side::kBoth>},
    {"lstrip", {"chars"}, 0, strip_method<Side::kLeft>},
    {"rstrip", {"chars"}, 0, strip_method<Side::kRight>},
    {"split", {"sep", "maxsplit"}, 0, split_method},
    {"startswith", {"prefix"}, 1, affix_method<true>},
    {"endswith", {"suffix"}, 1, affix_method<false>},
    {"find", {"sub"}, 1, find_method_of_text},
    {"count", {"sub"}, 1, count_method},
    {"replace", {"old", "new", "count"}, 2, replace_method},
    {"upper", {}, 0, upper_method},
    {"lower", {}, 0, lower_method},
    {"capitalize", {}, 0, capitalize_method},
    {"title", {}, 0, title_method},
    {"join", {"iterable"}, 1, join_method},
    {"format", {"0", "1", "2", "3", "4", "5", "6", "7"}, 0, format_method},
    {"items", {}, 0, items_method},
    {"keys", {}, 0, keys_method},
    {"values", {}, 0, values_method},
    {"get", {"key", "default"}, 1, get_method},
    {"append", {"object"}, 1, change_method},
    {"extend", {"iterable"}, 1, change_method},
    {"insert", {"index", "object"}, 2, change_method},
    {"pop", {"key", "default"}, 0, change_method},
    {"update", {"other"}, 1, change_method},
};

}  // namespace

const Builtin* find_method(std::string_view name) {
  const auto* found = std::find_if(std::begin(kMethods),
                                   std::end(kMethods),
                                   [&](const Builtin& method) { return method.name == name; });
  return found == std::end(kMethods) ? nullptr : found;
}

}  // namespace prescript::jinja
