#pragma once
// What the value of a key may be, and how it is written.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/yaml.h"

namespace prescript {

/// One kind of value, as the C++ type that holds it.
template <typename T>
struct ValueKind {
  std::string allowed;  // "a whole number in [1, 4096]": for messages and docs/RECIPES.md
  /// Reads a value that is not null; nothing when it is not allowed.
  std::function<std::optional<T>(const YamlValue&)> read;
  /// The YAML text that `read` reads back as this very value. Absent is "null".
  std::function<std::string(const T&)> write;
};

ValueKind<bool> true_or_false();
ValueKind<int64_t> whole_number(int64_t min, int64_t max);
ValueKind<uint64_t> any_seed();
/// A finite number.
ValueKind<double> number(double min, double max);
/// Text that is not empty and holds no NUL. `allowed` says what it is: "a path". An empty string is
/// absent.
ValueKind<std::string> text(const std::string& allowed);
/// Such a text that holds more than white space.
ValueKind<std::string> text_not_blank();
/// One of these words.
ValueKind<std::string> one_of(const std::vector<std::string>& words);
/// A day of the calendar, YYYY-MM-DD.
ValueKind<std::string> date();

/// The kind, or the word auto (the empty optional).
template <typename T>
ValueKind<std::optional<T>> or_auto(const ValueKind<T>& kind) {
  return {.allowed = "auto or " + kind.allowed,
          .read = [kind](const YamlValue& value) -> std::optional<std::optional<T>> {
            if (value.kind == YamlValue::Kind::kScalar && value.scalar == "auto") {
              return std::optional<T>();
            }
            const std::optional<T> set = kind.read(value);
            return set ? std::make_optional(set) : std::nullopt;
          },
          .write = [kind](const std::optional<T>& set) { return set ? kind.write(*set) : "auto"; }};
}

/// The kind, or absent (the empty optional).
template <typename T>
ValueKind<std::optional<T>> or_absent(const ValueKind<T>& kind) {
  return {.allowed = kind.allowed,
          .read = [kind](const YamlValue& value) -> std::optional<std::optional<T>> {
            const std::optional<T> set = kind.read(value);
            return set ? std::make_optional(set) : std::nullopt;
          },
          .write = [kind](const std::optional<T>& set) { return set ? kind.write(*set) : "null"; }};
}

/// A list of the kind: one value or more, all different.
template <typename T>
ValueKind<std::vector<T>> list_of(const ValueKind<T>& kind) {
  return {.allowed = "a list of different values, each " + kind.allowed,
          .read = [kind](const YamlValue& value) -> std::optional<std::vector<T>> {
            std::vector<T> values;
            for (const YamlValue& item : value.items) {
              const std::optional<T> one = kind.read(item);
              if (!one || std::ranges::find(values, *one) != values.end()) return std::nullopt;
              values.push_back(*one);
            }
            return values.empty() ? std::nullopt : std::make_optional(values);
          },
          .write =
              [kind](const std::vector<T>& values) {
                std::string text;
                for (const T& value : values) {
                  text += (text.empty() ? "[" : ", ") + kind.write(value);
                }
                return text + "]";
              }};
}

/// A value as a message shows it: "the number 0", "the text \"1\"", "a list".
std::string describe(const YamlValue& value);

}  // namespace prescript
