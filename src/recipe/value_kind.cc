#include "recipe/value_kind.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <iterator>
#include <string_view>
#include <system_error>

#include "io/quote.h"

namespace prescript {
namespace {

bool is_scalar(const YamlValue& value) {
  return value.kind == YamlValue::Kind::kScalar;
}

/// A number written plainly and whole; nothing for other text, nan, infinity and overflow.
template <typename Number>
std::optional<Number> parse_number(const YamlValue& value) {
  if (!is_scalar(value) || value.quoted) return std::nullopt;
  const char* const end = value.scalar.data() + value.scalar.size();
  Number number{};
  const auto [stop, error] = std::from_chars(value.scalar.data(), end, number);
  if (stop != end || error != std::errc()) return std::nullopt;
  if (!std::isfinite(static_cast<double>(number))) return std::nullopt;
  return number;
}

std::optional<bool> parse_boolean(const YamlValue& value) {
  if (!is_scalar(value) || value.quoted) return std::nullopt;
  for (const char* word : {"true", "True", "TRUE"}) {
    if (value.scalar == word) return true;
  }
  for (const char* word : {"false", "False", "FALSE"}) {
    if (value.scalar == word) return false;
  }
  return std::nullopt;
}

/// Text that no reader of YAML takes for a number or a truth value.
std::optional<std::string> parse_text(const YamlValue& value) {
  if (!is_scalar(value) || parse_boolean(value) || parse_number<double>(value)) return std::nullopt;
  if (value.scalar.empty() || value.scalar.find('\0') != std::string::npos) return std::nullopt;
  return value.scalar;
}

/// The shortest text that reads back as this very number; with a point before an exponent, without
/// which YAML 1.1 sees text.
template <typename Number>
std::string write_number(Number number) {
  char digits[32];
  std::string text(digits, std::to_chars(digits, std::end(digits), number).ptr);
  const size_t exponent = text.find('e');
  if (exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

template <typename Number>
ValueKind<Number> in_range(const char* what, Number min, Number max) {
  return {
      .allowed = std::string(what) + " in [" + write_number(min) + ", " + write_number(max) + "]",
      .read = [min, max](const YamlValue& value) -> std::optional<Number> {
        const std::optional<Number> number = parse_number<Number>(value);
        return number && *number >= min && *number <= max ? number : std::nullopt;
      },
      .write = [](const Number& number) { return write_number(number); }};
}

/// The words as a sentence says them: "a, b or c".
std::string enumerated(const std::vector<std::string>& words) {
  std::string list;
  for (size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " or " : ", ";
    list += words[i];
  }
  return list;
}

bool is_date(const std::string& text) {
  constexpr std::string_view kForm = "0000-00-00";
  const auto same_form = [](char c, char form) {
    return form == '0' ? c >= '0' && c <= '9' : c == form;
  };
  if (!std::ranges::equal(text, kForm, same_form)) return false;
  const std::chrono::year_month_day day(
      std::chrono::year(std::stoi(text.substr(0, 4))),
      std::chrono::month(static_cast<unsigned>(std::stoi(text.substr(5, 2)))),
      std::chrono::day(static_cast<unsigned>(std::stoi(text.substr(8, 2)))));
  return day.ok();
}

}  // namespace

ValueKind<bool> true_or_false() {
  return {.allowed = "true or false", .read = parse_boolean, .write = [](const bool& value) {
            return std::string(value ? "true" : "false");
          }};
}

ValueKind<int64_t> whole_number(int64_t min, int64_t max) {
  return in_range("a whole number", min, max);
}

ValueKind<uint64_t> any_seed() {
  return in_range("a whole number", uint64_t{0}, UINT64_MAX);
}

ValueKind<double> number(double min, double max) {
  return in_range("a number", min, max);
}

ValueKind<std::string> text(const std::string& allowed) {
  return {.allowed = allowed, .read = parse_text, .write = [](const std::string& value) {
            return value.empty() ? "null" : yaml_string(value);
          }};
}

ValueKind<std::string> text_not_blank() {
  ValueKind<std::string> kind = text("text that is not blank");
  kind.read = [](const YamlValue& value) {
    const std::optional<std::string> text = parse_text(value);
    const bool is_blank = text && text->find_first_not_of(" \t\r\n\v\f") == std::string::npos;
    return is_blank ? std::nullopt : text;
  };
  return kind;
}

ValueKind<std::string> one_of(const std::vector<std::string>& words) {
  return {.allowed = enumerated(words),
          .read = [words](const YamlValue& value) -> std::optional<std::string> {
            const bool is_known =
                is_scalar(value) && std::ranges::find(words, value.scalar) != words.end();
            return is_known ? std::optional(value.scalar) : std::nullopt;
          },
          .write = [](const std::string& word) { return word; }};
}

ValueKind<std::string> date() {
  return {.allowed = "a date, YYYY-MM-DD",
          .read = [](const YamlValue& value) -> std::optional<std::string> {
            return is_scalar(value) && is_date(value.scalar) ? std::optional(value.scalar)
                                                             : std::nullopt;
          },
          .write = [](const std::string& day) { return day; }};
}

namespace {

/// In one line, as a recipe has it.
std::string in_line(const YamlValue& value) {
  if (value.kind == YamlValue::Kind::kNull) return "null";
  if (value.kind == YamlValue::Kind::kMapping) return "{...}";
  if (value.kind == YamlValue::Kind::kSequence) {
    std::string items;
    for (const YamlValue& item : value.items) items += (items.empty() ? "" : ", ") + in_line(item);
    return "[" + items + "]";
  }
  const bool is_text = !parse_boolean(value) && !parse_number<double>(value);
  return is_text ? quote(value.scalar) : value.scalar;
}

}  // namespace

std::string describe(const YamlValue& value) {
  if (value.kind == YamlValue::Kind::kNull) return "nothing";
  if (value.kind == YamlValue::Kind::kSequence) {
    constexpr size_t kMostShown = 80;
    const std::string list = in_line(value);
    if (value.items.empty()) return "an empty list";
    return list.size() > kMostShown ? "a list" : "the list " + list;
  }
  if (value.kind == YamlValue::Kind::kMapping) return "a group of keys";
  if (parse_boolean(value)) return "the truth value " + value.scalar;
  if (parse_number<double>(value)) return "the number " + value.scalar;
  return value.scalar.empty() ? "an empty text" : "the text " + quote(value.scalar);
}

}  // namespace prescript
