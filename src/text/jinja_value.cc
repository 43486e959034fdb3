#include "text/jinja_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "text/jinja_text.h"

namespace prescript::jinja {
namespace {

size_t depth_of(const Value& value) {
  if (const Sequence* sequence = as_sequence(value)) return sequence->depth;
  if (const Dict* dict = as_dict(value)) return dict->depth;
  return 0;
}

size_t depth_above(Run& run, size_t inner) {
  if (inner >= kMaxDepth) run.fail("lists are nested deeper than 64 levels");
  return inner + 1;
}

void check_key(Run& run, const Value& key) {
  const Sequence* sequence = as_sequence(key);
  if (as_dict(key) != nullptr || (sequence != nullptr && sequence->kind != SequenceKind::kTuple))
    run.fail(kind_of(key) + " cannot be the key of a dict");
}

/// Where the key's entry is; the number of entries when there is none.
size_t entry_index(Run& run, const Dict& dict, const Value& key) {
  check_key(run, key);
  size_t at = 0;
  while (at < dict.entries.size() && !equal(run, dict.entries[at].first, key)) ++at;
  return at;
}

bool equal_dicts(Run& run, const Dict& left, const Dict& right) {
  return left.entries.size() == right.entries.size() &&
         std::all_of(left.entries.begin(), left.entries.end(), [&](const auto& entry) {
           const Value* other = find_entry(run, right, entry.first);
           return other != nullptr && equal(run, entry.second, *other);
         });
}

bool equal_sequences(Run& run, const Sequence& left, const Sequence& right) {
  if (&left == &right) return true;
  const auto comparable = [](const Sequence& sequence) {
    return sequence.kind == SequenceKind::kList || sequence.kind == SequenceKind::kTuple;
  };
  if (!comparable(left) || !comparable(right))
    run.fail("this cannot be compared; `| list` makes a list of it");
  return left.kind == right.kind &&
         std::equal(left.items.begin(),
                    left.items.end(),
                    right.items.begin(),
                    right.items.end(),
                    [&](const Value& a, const Value& b) { return equal(run, a, b); });
}

/// Python's repr() of a string.
void append_quoted(Run& run, const std::string& text, std::string& out) {
  run.spend_bytes(text.size());
  const bool has_single = text.find('\'') != std::string::npos;
  const char mark = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  out += mark;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) run.fail("printing a list or dict with text beyond ASCII is not supported");
    if (c == mark || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out += {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += {'\\', 'x', "0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    } else {
      out += c;
    }
  }
  out += mark;
}

void append_repr(Run& run, const Value& value, std::string& out) {
  if (const std::string* text = as_text(value)) return append_quoted(run, *text, out);
  if (is_undefined(value)) {
    out += "Undefined";
    return;
  }
  append_text(run, value, out);
}

void append_sequence(Run& run, const Sequence& sequence, std::string& out) {
  const bool is_tuple = sequence.kind == SequenceKind::kTuple;
  out += is_tuple ? '(' : '[';
  for (size_t i = 0; i < sequence.items.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(run, sequence.items[i], out);
  }
  if (is_tuple && sequence.items.size() == 1) out += ',';
  out += is_tuple ? ')' : ']';
}

void append_dict(Run& run, const Dict& dict, std::string& out) {
  out += '{';
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out += ", ";
    append_repr(run, dict.entries[i].first, out);
    out += ": ";
    append_repr(run, dict.entries[i].second, out);
  }
  out += '}';
}

}  // namespace

Value text_value(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

Value text_value(Run& run, std::string text) {
  run.check_bytes(text.size());
  run.spend_bytes(text.size());
  return text_value(std::move(text));
}

Value sequence_value(Run& run, SequenceKind kind, std::vector<Value> items) {
  run.spend(1 + items.size());
  size_t inner = 0;
  for (const Value& item : items) inner = std::max(inner, depth_of(item));
  return std::make_shared<const Sequence>(
      Sequence{kind, std::move(items), depth_above(run, inner)});
}

Value dict_value(Run& run, const std::vector<std::pair<Value, Value>>& entries) {
  Dict dict;
  size_t inner = 0;
  for (const auto& [key, value] : entries) {
    inner = std::max({inner, depth_of(key), depth_of(value)});
    if (const size_t at = entry_index(run, dict, key); at < dict.entries.size()) {
      dict.entries[at].second = value;
    } else {
      dict.entries.emplace_back(key, value);
    }
  }
  dict.depth = depth_above(run, inner);
  return std::make_shared<const Dict>(std::move(dict));
}

const std::string* as_text(const Value& value) {
  const auto* text = std::get_if<std::shared_ptr<const std::string>>(&value);
  return text == nullptr ? nullptr : text->get();
}

const Sequence* as_sequence(const Value& value) {
  const auto* sequence = std::get_if<std::shared_ptr<const Sequence>>(&value);
  return sequence == nullptr ? nullptr : sequence->get();
}

const Dict* as_dict(const Value& value) {
  const auto* dict = std::get_if<std::shared_ptr<const Dict>>(&value);
  return dict == nullptr ? nullptr : dict->get();
}

std::optional<int64_t> as_whole(const Value& value) {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? 1 : 0;
  if (const int64_t* whole = std::get_if<int64_t>(&value)) return *whole;
  return std::nullopt;
}

std::optional<double> as_number(const Value& value) {
  if (const auto whole = as_whole(value)) return static_cast<double>(*whole);
  if (const double* number = std::get_if<double>(&value)) return *number;
  return std::nullopt;
}

const Value* find_entry(Run& run, const Dict& dict, const Value& key) {
  const size_t at = entry_index(run, dict, key);
  return at < dict.entries.size() ? &dict.entries[at].second : nullptr;
}

std::string kind_of(const Value& value) {
  if (const Sequence* sequence = as_sequence(value)) {
    if (sequence->kind == SequenceKind::kList) return "a list";
    if (sequence->kind == SequenceKind::kRange) return "a range";
    return sequence->kind == SequenceKind::kTuple ? "a tuple" : "an iterator";
  }
  constexpr const char* kKinds[] = {"an undefined value",
                                    "none",
                                    "a boolean",
                                    "a whole number",
                                    "a number",
                                    "a string",
                                    "a sequence",
                                    "a dict",
                                    "a namespace",
                                    "a macro",
                                    "a function"};
  return kKinds[value.index()];
}

std::string undefined_message(const Value& value) {
  const std::string* name = std::get<Undefined>(value).name;
  return name == nullptr ? "a missing item is used" : "'" + *name + "' is undefined";
}

bool truth(const Value& value) {
  if (is_undefined(value) || std::holds_alternative<None>(value)) return false;
  if (const auto number = as_number(value)) return *number != 0;
  if (const std::string* text = as_text(value)) return !text->empty();
  if (const Dict* dict = as_dict(value)) return !dict->entries.empty();
  if (const Sequence* sequence = as_sequence(value))
    return sequence->kind == SequenceKind::kStream || !sequence->items.empty();
  return true;
}

bool equal(Run& run, const Value& left, const Value& right) {
  run.spend(1);
  const auto left_whole = as_whole(left), right_whole = as_whole(right);
  if (left_whole && right_whole) return *left_whole == *right_whole;
  const auto left_number = as_number(left), right_number = as_number(right);
  if (left_number && right_number) return *left_number == *right_number;
  if (left.index() != right.index()) return false;
  if (const std::string* text = as_text(left)) {
    run.spend_bytes(text->size());
    return *text == *as_text(right);
  }
  if (const Sequence* sequence = as_sequence(left))
    return equal_sequences(run, *sequence, *as_sequence(right));
  if (const Dict* dict = as_dict(left)) return equal_dicts(run, *dict, *as_dict(right));
  if (const auto* space = std::get_if<Namespace*>(&left))
    return *space == std::get<Namespace*>(right);
  if (const auto* macro = std::get_if<const Macro*>(&left))
    return *macro == std::get<const Macro*>(right);
  if (const auto* function = std::get_if<Function>(&left))
    return *function == std::get<Function>(right);
  return true;  // two undefined values, or none twice
}

int64_t length(Run& run, const Value& value) {
  if (is_undefined(value)) return 0;
  if (const std::string* text = as_text(value)) {
    run.spend_bytes(text->size());
    return static_cast<int64_t>(Characters(*text).size());
  }
  if (const Dict* dict = as_dict(value)) return static_cast<int64_t>(dict->entries.size());
  const Sequence* sequence = as_sequence(value);
  if (sequence == nullptr || sequence->kind == SequenceKind::kStream)
    run.fail(kind_of(value) + " has no length");
  return static_cast<int64_t>(sequence->items.size());
}

std::vector<Value> items_of(Run& run, const Value& value) {
  std::vector<Value> items;
  if (const std::string* text = as_text(value)) {
    const Characters characters(*text);
    run.spend(1 + characters.size());
    for (size_t i = 0; i < characters.size(); ++i)
      items.push_back(text_value(std::string(characters.range(i, i + 1))));
  } else if (const Dict* dict = as_dict(value)) {
    run.spend(1 + dict->entries.size());
    for (const auto& [key, unused] : dict->entries) items.push_back(key);
  } else if (const Sequence* sequence = as_sequence(value)) {
    run.spend(1 + sequence->items.size());
    items = sequence->items;
  } else if (!is_undefined(value)) {
    run.fail(kind_of(value) + " cannot be looped over");
  }
  return items;
}

void append_text(Run& run, const Value& value, std::string& out) {
  run.spend(1);
  if (const std::string* text = as_text(value)) {
    run.spend_bytes(text->size());
    out += *text;
  } else if (std::holds_alternative<None>(value)) {
    out += "None";
  } else if (const bool* flag = std::get_if<bool>(&value)) {
    out += *flag ? "True" : "False";
  } else if (const int64_t* whole = std::get_if<int64_t>(&value)) {
    out += std::to_string(*whole);
  } else if (const double* number = std::get_if<double>(&value)) {
    out += float_text(*number);
  } else if (const Sequence* sequence = as_sequence(value);
             sequence != nullptr && sequence->kind <= SequenceKind::kTuple) {
    append_sequence(run, *sequence, out);
  } else if (const Dict* dict = as_dict(value)) {
    append_dict(run, *dict, out);
  } else if (!is_undefined(value)) {
    run.fail(kind_of(value) + " cannot be printed");
  }
  run.check_bytes(out.size());
}

std::string to_text(Run& run, const Value& value) {
  std::string text;
  append_text(run, value, text);
  return text;
}

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[40];
  const auto digits_end = [&](std::chars_format form) {
    return std::to_chars(std::begin(buffer), std::end(buffer), number, form).ptr;
  };
  std::string scientific(buffer, digits_end(std::chars_format::scientific));
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  std::string fixed(buffer, digits_end(std::chars_format::fixed));
  return fixed.find('.') == std::string::npos ? fixed + ".0" : fixed;
}

}  // namespace prescript::jinja
