#pragma once
// One key of a kind of recipe: its place in the structs and what it may be.

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "io/yaml.h"
#include "recipe/value_kind.h"

namespace prescript {

/// A key of the struct R.
template <typename R>
struct SettingOf {
  std::string path;     // "training.steps"
  std::string allowed;  // "a whole number in [1, 4096]"
  /// Puts a value that is not null into its place; false when it is not allowed.
  std::function<bool(const YamlValue&, R&)> read;
  /// The YAML text of its value; "null" when it is absent.
  std::function<std::string(const R&)> write;

  bool required = false;
  /// The key and its value without which this one would have no effect; or nothing. The value
  /// "null" is that of an absent key.
  std::string needs_path = {};
  std::string needs_value = {};
};

/// `field` is a generic lambda: R, const or not, to the member.
template <typename R, typename Field, typename T>
SettingOf<R> setting_of(const char* path, Field field, const ValueKind<T>& kind) {
  return {.path = path,
          .allowed = kind.allowed,
          .read =
              [field, kind](const YamlValue& value, R& recipe) {
                const std::optional<T> set = kind.read(value);
                if (set) field(recipe) = *set;
                return set.has_value();
              },
          .write = [field, kind](const R& recipe) { return kind.write(field(recipe)); }};
}

template <typename R>
SettingOf<R> required(SettingOf<R> setting) {
  setting.required = true;
  return setting;
}

}  // namespace prescript

/// A key is spelled like its member, so that its path and its place cannot differ.
#define PRESCRIPT_SETTING_OF(R, member, kind) \
  setting_of<R>(                              \
      #member, [](auto& recipe) -> auto& { return recipe.member; }, kind)
