#include <algorithm>
#include <charconv>
#include <iterator>

#include "text/jinja_arguments.h"
#include "text/jinja_builtin.h"
#include "text/jinja_json.h"
#include "text/jinja_operators.h"
#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

bool flag_argument(const std::optional<Value>& argument) {
  return argument && truth(*argument);
}

Value trim_filter(Run& run, const Value& input, Arguments arguments) {
  const std::string text = to_text(run, input);
  const auto chars = text_argument(run, arguments[0]);
  run.spend_bytes(text.size() * (chars ? std::max<size_t>(1, chars->size()) : 1));
  return text_value(run, std::string(strip(text, chars, Side::kBoth)));
}

Value length_filter(Run& run, const Value& input, Arguments) {
  return length(run, input);
}

Value string_filter(Run& run, const Value& input, Arguments) {
  return text_value(run, to_text(run, input));
}

Value upper_filter(Run& run, const Value& input, Arguments) {
  return upper_case(run, to_text(run, input));
}

Value lower_filter(Run& run, const Value& input, Arguments) {
  return lower_case(run, to_text(run, input));
}

Value capitalize_filter(Run& run, const Value& input, Arguments) {
  return capitalized(run, to_text(run, input));
}

/// An upper-case letter at the beginning and behind each of these; unlike str.title.
Value title_filter(Run& run, const Value& input, Arguments) {
  std::string text = *as_text(lower_case(run, to_text(run, input)));
  bool begins = true;
  for (char& c : text) {
    if (begins) c = ascii_upper(std::string(1, c))[0];
    begins = is_space(static_cast<unsigned char>(c)) ||
             std::string_view("-({[<").find(c) != std::string_view::npos;
  }
  return text_value(run, std::move(text));
}

Value replace_filter(Run& run, const Value& input, Arguments arguments) {
  return replaced(run,
                  to_text(run, input),
                  to_text(run, *arguments[0]),
                  to_text(run, *arguments[1]),
                  whole_argument(run, arguments[2]).value_or(-1));
}

Value default_filter(Run&, const Value& input, Arguments arguments) {
  if (!is_undefined(input) && !(flag_argument(arguments[1]) && !truth(input))) return input;
  return arguments[0] ? *arguments[0] : text_value("");
}

Value join_filter(Run& run, const Value& input, Arguments arguments) {
  std::vector<Value> items = items_of(run, input);
  if (const auto path = text_argument(run, arguments[1])) {
    for (Value& value : items) value = named_item(run, value, *path);
  }
  return join_items(run, arguments[0] ? to_text(run, *arguments[0]) : "", items);
}

Value first_filter(Run& run, const Value& input, Arguments) {
  const std::vector<Value> items = items_of(run, input);
  return items.empty() ? Undefined{} : items.front();
}

Value last_filter(Run& run, const Value& input, Arguments) {
  const Sequence* sequence = as_sequence(input);
  const bool is_stream = sequence != nullptr && sequence->kind == SequenceKind::kStream;
  if (is_stream || is_undefined(input)) run.fail("'last' of " + kind_of(input));
  const std::vector<Value> items = items_of(run, input);
  return items.empty() ? Undefined{} : items.back();
}

Value list_filter(Run& run, const Value& input, Arguments) {
  return sequence_value(run, SequenceKind::kList, items_of(run, input));
}

Value reverse_filter(Run& run, const Value& input, Arguments) {
  std::vector<Value> items = items_of(run, input);
  std::reverse(items.begin(), items.end());
  if (as_text(input) != nullptr) return join_items(run, "", items);
  if (is_undefined(input)) run.fail(undefined_message(input));
  return sequence_value(run, SequenceKind::kStream, std::move(items));
}

Value int_filter(Run& run, const Value& input, Arguments arguments) {
  Value otherwise = arguments[0] ? *arguments[0] : Value(int64_t{0});
  if (is_undefined(input)) run.fail(undefined_message(input));
  if (const bool* flag = std::get_if<bool>(&input)) return int64_t{*flag};
  if (const double* number = std::get_if<double>(&input)) {
    if (!(*number > -9e18 && *number < 9e18)) run.fail("int: a number that is too large");
    return static_cast<int64_t>(*number);
  }
  const std::string* text = as_text(input);
  if (text == nullptr) return std::holds_alternative<int64_t>(input) ? input : otherwise;
  std::string_view digits = strip(*text, std::nullopt, Side::kBoth);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int64_t whole = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), whole);
  if (read.ec == std::errc() && read.ptr == digits.data() + digits.size()) return whole;
  // Python reads more forms of numbers than this.
  if (digits.find_first_of("0123456789") != std::string_view::npos || !is_ascii(digits))
    run.fail("int: this text of a number is not supported");
  return otherwise;
}

Value items_filter(Run& run, const Value& input, Arguments) {
  std::vector<Value> items;
  const Dict* dict = as_dict(input);
  if (dict == nullptr && !is_undefined(input)) run.fail("'items' of " + kind_of(input));
  if (dict != nullptr) {
    for (const auto& [key, value] : dict->entries)
      items.push_back(sequence_value(run, SequenceKind::kTuple, {key, value}));
  }
  return sequence_value(run, SequenceKind::kStream, std::move(items));
}

/// Pairs of a dict by key; upper and lower case are the same unless told.
Value dictsort_filter(Run& run, const Value& input, Arguments arguments) {
  const Dict* dict = as_dict(input);
  if (dict == nullptr) run.fail("'dictsort' of " + kind_of(input));
  const bool by_case = flag_argument(arguments[0]);
  std::vector<std::pair<Value, Value>> pairs;  // what to sort by, and the pair
  for (const auto& [key, value] : dict->entries) {
    const std::string* text = as_text(key);
    pairs.emplace_back(text == nullptr || by_case ? key : lower_case(run, *text),
                       sequence_value(run, SequenceKind::kTuple, {key, value}));
  }
  std::stable_sort(pairs.begin(), pairs.end(), [&](const auto& a, const auto& b) {
    return compare(run, Operator::kLess, a.first, b.first);
  });
  std::vector<Value> items;
  items.reserve(pairs.size());
  for (auto& [key, pair] : pairs) items.push_back(std::move(pair));
  return sequence_value(run, SequenceKind::kList, std::move(items));
}

std::string spaces(Run& run, int64_t count) {
  run.check_bytes(count < 0 ? 0 : static_cast<size_t>(count));
  return std::string(count < 0 ? 0 : static_cast<size_t>(count), ' ');
}

/// The text with `width` more spaces (or a string) before each line but the first and blank ones.
Value indent_filter(Run& run, const Value& input, Arguments arguments) {
  const std::string* own = arguments[0] ? as_text(*arguments[0]) : nullptr;
  const std::string indent =
      own != nullptr ? *own : spaces(run, whole_argument(run, arguments[0]).value_or(4));
  const std::string* input_text = as_text(input);
  if (input_text == nullptr) run.fail("'indent' of " + kind_of(input));
  const std::string& text = *input_text;
  if (text.find_first_of("\r\v\f\x1c\x1d\x1e") != std::string::npos || !is_ascii(text))
    run.fail("indenting text with unusual line ends or beyond ASCII is not supported");
  std::string result = flag_argument(arguments[1]) ? indent : "";
  const auto lines = split(text, "\n", SIZE_MAX);
  for (size_t i = 0; i < lines.size(); ++i) {
    run.spend_bytes(indent.size());
    if (i > 0) result += '\n';
    if (i > 0 && (!lines[i].empty() || flag_argument(arguments[2]))) result += indent;
    result += lines[i];
    run.check_bytes(result.size());
  }
  return text_value(run, std::move(result));
}

Value tojson_filter(Run& run, const Value& input, Arguments arguments) {
  JsonForm form;
  form.ensure_ascii = flag_argument(arguments[0]);
  form.sort_keys = flag_argument(arguments[3]);
  if (arguments[1] && as_text(*arguments[1]) != nullptr) {
    form.indent = *as_text(*arguments[1]);
  } else if (const auto width = whole_argument(run, arguments[1])) {
    form.indent = spaces(run, *width);
  }
  if (form.indent) form.item_separator = ",";
  if (arguments[2] && !std::holds_alternative<None>(*arguments[2])) {
    const std::vector<Value> separators = items_of(run, *arguments[2]);
    if (separators.size() != 2) run.fail("tojson: expected two separators");
    form.item_separator = text_argument(run, separators[0]).value_or("");
    form.key_separator = text_argument(run, separators[1]).value_or("");
  }
  return text_value(run, to_json(run, input, form));
}

const Builtin kFilters[] = {
    {"trim", {"chars"}, 0, trim_filter},
    {"length", {}, 0, length_filter},
    {"count", {}, 0, length_filter},
    {"string", {}, 0, string_filter},
    {"upper", {}, 0, upper_filter},
    {"lower", {}, 0, lower_filter},
    {"capitalize", {}, 0, capitalize_filter},
    {"title", {}, 0, title_filter},
    {"replace", {"old", "new", "count"}, 2, replace_filter},
    {"default", {"default_value", "boolean"}, 0, default_filter},
    {"d", {"default_value", "boolean"}, 0, default_filter},
    {"join", {"d", "attribute"}, 0, join_filter},
    {"first", {}, 0, first_filter},
    {"last", {}, 0, last_filter},
    {"list", {}, 0, list_filter},
    {"reverse", {}, 0, reverse_filter},
    {"int", {"default"}, 0, int_filter},
    {"items", {}, 0, items_filter},
    {"dictsort", {"case_sensitive"}, 0, dictsort_filter},
    {"indent", {"width", "first", "blank"}, 0, indent_filter},
    {"tojson", {"ensure_ascii", "indent", "separators", "sort_keys"}, 0, tojson_filter},
};

}  // namespace

const Builtin* find_filter(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFilters),
                                   std::end(kFilters),
                                   [&](const Builtin& filter) { return filter.name == name; });
  return found == std::end(kFilters) ? nullptr : found;
}

}  // namespace prescript::jinja
