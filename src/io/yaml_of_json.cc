#include "io/yaml_of_json.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "io/json.h"

namespace prescript {
namespace {

/// Reads text that is known to be JSON: every character is where it must be.
class Reader {
 public:
  Reader(const TextPlace& place, const YamlLimits& limits)
      : place_(place), text_(place.text()), limits_(limits) {}

  YamlValue value() {
    skip_blank();
    count();
    const auto [line, column] = place_.position(at_);
    YamlValue value{.line = line, .column = column};
    switch (text_[at_]) {
      case '{':
        read_object(value);
        break;
      case '[':
        read_array(value);
        break;
      case '"':
        value.kind = YamlValue::Kind::kScalar;
        value.scalar = string();
        value.quoted = true;
        break;
      default:
        value.scalar = word();
        if (value.scalar == "null") {
          value.scalar.clear();
        } else {
          value.kind = YamlValue::Kind::kScalar;
        }
    }
    return value;
  }

 private:
  void skip_blank() { at_ = text_.find_first_not_of(" \t\r\n", at_); }

  void count() {
    if (++num_nodes_ > limits_.max_nodes) {
      place_.fail(at_, "more than " + std::to_string(limits_.max_nodes) + " values");
    }
  }

  /// Moves behind the bracket, comma or colon that comes next; returns it.
  char mark() {
    skip_blank();
    return text_[at_++];
  }

  bool closes(char bracket) {
    skip_blank();
    return text_[at_] == bracket && mark() == bracket;
  }

  void read_object(YamlValue& value) {
    value.kind = YamlValue::Kind::kMapping;
    mark();
    if (closes('}')) return;
    do {
      skip_blank();
      const auto [line, column] = place_.position(at_);
      std::string key = string();
      mark();
      YamlValue& member = value.members.emplace_back(std::move(key), this->value()).second;
      member.line = line;
      member.column = column;
    } while (mark() == ',');
  }

  void read_array(YamlValue& value) {
    value.kind = YamlValue::Kind::kSequence;
    mark();
    if (closes(']')) return;
    do {
      value.items.push_back(this->value());
    } while (mark() == ',');
  }

  std::string string() {
    const size_t begin = at_;
    while (text_[++at_] != '"') {
      if (text_[at_] == '\\') ++at_;
    }
    const std::string_view literal = text_.substr(begin, ++at_ - begin);
    return parse_json(literal, place_.place(), place_.code()).get<std::string>();
  }

  /// A number, true, false or null.
  std::string word() {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    return std::string(text_.substr(begin, at_ - begin));
  }

  const TextPlace& place_;
  std::string_view text_;
  const YamlLimits& limits_;
  size_t at_ = 0;
  size_t num_nodes_ = 0;
};

}  // namespace

YamlValue yaml_of_json(const TextPlace& text, const YamlLimits& limits) {
  parse_json(text.text(),
             text.place(),
             text.code(),
             {.max_bytes = limits.max_bytes, .max_depth = limits.max_depth});
  return Reader(text, limits).value();
}

}  // namespace prescript
