#include "text/jinja_access.h"

#include <algorithm>
#include <string_view>

#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

/// The names that Python gives to methods of its strings, lists, tuples and dicts.
constexpr std::string_view kTextMethods =
    " capitalize casefold center count encode endswith expandtabs find format format_map index "
    "isalnum isalpha isascii isdecimal isdigit isidentifier islower isnumeric isprintable isspace "
    "istitle isupper join ljust lower lstrip maketrans partition removeprefix removesuffix replace "
    "rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase title "
    "translate upper zfill ";
constexpr std::string_view kListMethods =
    " append clear copy count extend index insert pop remove reverse sort ";
constexpr std::string_view kDictMethods =
    " clear copy fromkeys get items keys pop popitem setdefault update values ";

bool has_method(const Value& object, const std::string& name) {
  const std::string_view methods = as_text(object) != nullptr       ? kTextMethods
                                   : as_sequence(object) != nullptr ? kListMethods
                                   : as_dict(object) != nullptr     ? kDictMethods
                                                                    : "";
  return methods.find(" " + name + " ") != std::string_view::npos;
}

Value undefined(const std::string* name) {
  return Undefined{name};
}

void refuse_method(Run& run, const Value& object, const std::string& name) {
  if (has_method(object, name)) run.fail("the method '" + name + "' as a value is not supported");
}

/// Slice positions as Python adjusts them.
int64_t slice_position(
    Run& run, const Value& given, int64_t absent, int64_t low, int64_t high, int64_t size) {
  if (std::holds_alternative<None>(given)) return absent;
  const auto position = as_whole(given);
  if (!position) run.fail("a slice from or to " + kind_of(given));
  return std::clamp(*position < 0 ? *position + size : *position, low, high);
}

}  // namespace

Value attribute(Run& run, const Value& object, const std::string& name) {
  if (is_undefined(object)) run.fail(undefined_message(object));
  refuse_method(run, object, name);
  if (std::holds_alternative<Function>(object) || std::holds_alternative<const Macro*>(object))
    run.fail("attributes of " + kind_of(object) + " are not supported");
  if (const auto* space = std::get_if<Namespace*>(&object)) {
    const auto found = (*space)->attributes.find(name);
    return found == (*space)->attributes.end() ? undefined(&name) : found->second;
  }
  const Dict* dict = as_dict(object);
  const Value* value = dict == nullptr ? nullptr : find_entry(run, *dict, text_value(name));
  return value == nullptr ? undefined(&name) : *value;
}

Value item(Run& run, const Value& object, const Value& key, const std::string* name) {
  if (is_undefined(object)) run.fail(undefined_message(object));
  const auto index = as_whole(key);
  const auto at = [&](int64_t size) -> std::optional<size_t> {
    if (!index || *index < -size || *index >= size) return std::nullopt;
    return static_cast<size_t>(*index < 0 ? *index + size : *index);
  };
  const Sequence* sequence = as_sequence(object);
  if (const Dict* dict = as_dict(object)) {
    const bool is_hashable = as_dict(key) == nullptr && as_sequence(key) == nullptr;
    const Value* value = is_hashable ? find_entry(run, *dict, key) : nullptr;
    if (value != nullptr) return *value;
  } else if (const std::string* text = as_text(object); text != nullptr && index) {
    run.spend_bytes(text->size());
    const Characters characters(*text);
    if (const auto place = at(static_cast<int64_t>(characters.size())))
      return text_value(std::string(characters.range(*place, *place + 1)));
  } else if (sequence != nullptr && sequence->kind <= SequenceKind::kRange) {
    if (const auto place = at(static_cast<int64_t>(sequence->items.size())))
      return sequence->items[*place];
  } else if (const auto* space = std::get_if<Namespace*>(&object)) {
    const std::string* own = as_text(key);
    const auto found =
        own == nullptr ? (*space)->attributes.end() : (*space)->attributes.find(*own);
    if (found != (*space)->attributes.end()) return found->second;
  }
  if (const std::string* own = as_text(key)) refuse_method(run, object, *own);
  return undefined(name);
}

Value slice(
    Run& run, const Value& object, const Value& begin, const Value& end, const Value& step_value) {
  const std::string* text = as_text(object);
  const Sequence* sequence = as_sequence(object);
  if (text == nullptr && (sequence == nullptr || sequence->kind > SequenceKind::kRange)) {
    run.fail(is_undefined(object) ? undefined_message(object)
                                  : kind_of(object) + " cannot be sliced");
  }
  const int64_t size = length(run, object);
  const int64_t step = slice_position(run, step_value, 1, -size - 1, size + 1, 0);
  if (step == 0) run.fail("a slice with step 0");
  const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? size - 1 : size;
  const int64_t first = slice_position(run, begin, step < 0 ? high : low, low, high, size);
  const int64_t last = slice_position(run, end, step < 0 ? low : high, low, high, size);
  run.spend(1);
  if (text != nullptr) {
    const Characters characters(*text);
    if (step == 1)
      return text_value(run, std::string(characters.range(first, std::max(first, last))));
    std::string result;
    for (int64_t i = first; step < 0 ? i > last : i < last; i += step)
      result += characters.range(i, i + 1);
    return text_value(run, std::move(result));
  }
  std::vector<Value> items;
  for (int64_t i = first; step < 0 ? i > last : i < last; i += step)
    items.push_back(sequence->items[i]);
  return sequence_value(run, sequence->kind, std::move(items));
}

}  // namespace prescript::jinja
