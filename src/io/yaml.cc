#include "io/yaml.h"

#include <algorithm>
#include <iterator>
#include <sstream>
#include <unordered_set>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "io/quote.h"
#include "io/text_place.h"
#include "io/yaml_of_json.h"

namespace prescript {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Line breaks to some readers of YAML.
constexpr std::string_view kLineSeparator = "\xE2\x80\xA8";
constexpr std::string_view kParagraphSeparator = "\xE2\x80\xA9";

/// Builds the value from the parser's events, and refuses what the parser itself accepts.
class Builder final : public YAML::EventHandler {
 public:
  Builder(const TextPlace& text, const YamlLimits& limits) : text_(text), limits_(limits) {}

  YamlValue take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++num_documents_ > 1) text_.fail(at(mark), "a second document begins; one is allowed");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { next(mark); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { next(mark); }
  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t,
                const std::string& text) override {
    if (expects_key()) return open_key(mark, text);
    YamlValue& value = next(mark);
    value.kind = YamlValue::Kind::kScalar;
    value.scalar = text;
    value.quoted = tag == "!";  // so the parser marks every scalar that is not plain
  }
  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string&,
                       YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, YamlValue::Kind::kSequence);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark,
                  const std::string&,
                  YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, YamlValue::Kind::kMapping);
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  /// A sequence or mapping that is being filled.
  struct Open {
    YamlValue* value;
    std::unordered_set<std::string> keys = {};
    bool has_key = false;  // the next value belongs to the last member
  };

  static size_t at(const YAML::Mark& mark) { return static_cast<size_t>(mark.pos); }

  void place_at(const YAML::Mark& mark, YamlValue& value) const {
    const auto [line, column] = text_.position(at(mark));
    value.line = line;
    value.column = column;
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().value->kind == YamlValue::Kind::kMapping &&
           !open_.back().has_key;
  }

  /// Nothing but a tag, an anchor or an alias begins with these characters.
  void refuse_properties(const YAML::Mark& mark) const {
    const std::string_view rest = text_.text().substr(std::min(at(mark), text_.text().size()));
    if (!rest.empty() && std::string_view("!&*").find(rest.front()) != std::string_view::npos) {
      text_.fail(at(mark), "tags, anchors and aliases are not allowed; write the value itself");
    }
  }

  void count(const YAML::Mark& mark) {
    refuse_properties(mark);
    if (++num_nodes_ > limits_.max_nodes) {
      text_.fail(at(mark), "more than " + std::to_string(limits_.max_nodes) + " values");
    }
  }

  void open_key(const YAML::Mark& mark, const std::string& key) {
    count(mark);
    if (!open_.back().keys.insert(key).second) {
      text_.fail(at(mark), "the key " + quote(key) + " comes twice; remove one of them");
    }
    YamlValue& value = open_.back().value->members.emplace_back(key, YamlValue()).second;
    place_at(mark, value);
    open_.back().has_key = true;
  }

  /// The value that the next event fills.
  YamlValue& next(const YAML::Mark& mark) {
    count(mark);
    if (expects_key()) text_.fail(at(mark), "this key is not text; write a name");
    if (!open_.empty() && open_.back().value->kind == YamlValue::Kind::kMapping) {
      open_.back().has_key = false;
      return open_.back().value->members.back().second;
    }
    YamlValue& value = open_.empty() ? root_ : open_.back().value->items.emplace_back();
    place_at(mark, value);
    return value;
  }

  void open(const YAML::Mark& mark, YamlValue::Kind kind) {
    YamlValue& value = next(mark);
    if (open_.size() == limits_.max_depth) {
      text_.fail(at(mark), "nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
    value.kind = kind;
    open_.push_back({&value});
  }

  const TextPlace& text_;
  const YamlLimits& limits_;
  YamlValue root_ = {.line = 1, .column = 1};
  std::vector<Open> open_;  // outermost first
  size_t num_nodes_ = 0;
  int num_documents_ = 0;
};

/// A JSON object is YAML too, but for escaped surrogate pairs; and its errors are told better.
bool is_json_object(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t brace = text.find_first_not_of(kBlank);
  if (brace == std::string_view::npos || text[brace] != '{') return false;
  const size_t key = text.find_first_not_of(kBlank, brace + 1);
  return key != std::string_view::npos && text[key] == '"';
}

/// Whether every reader of YAML takes the bare text for this very string.
bool is_plain(std::string_view text) {
  constexpr std::string_view kOtherMeaning[] = {
      "null", "true", "false", "yes", "no", "on", "off", "y", "n", "auto"};
  std::string lower;
  for (const char c : text) {
    const char folded = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool is_letter = folded >= 'a' && folded <= 'z';
    const bool can_begin = is_letter || c == '_' || c == '/';
    const bool can_follow = can_begin || (c >= '0' && c <= '9') || c == '.' || c == '-';
    if (lower.empty() ? !can_begin : !can_follow) return false;
    lower += folded;
  }
  return !text.empty() && std::ranges::find(kOtherMeaning, lower) == std::end(kOtherMeaning);
}

/// A control character, U+0000 to U+00FF, escaped.
void append_hex_escape(unsigned char character, std::string& text) {
  text += "\\x";
  text += "0123456789abcdef"[character >> 4];
  text += "0123456789abcdef"[character & 15];
}

}  // namespace

const YamlValue* YamlValue::find(std::string_view key) const {
  const auto member = std::find_if(
      members.begin(), members.end(), [key](const auto& entry) { return entry.first == key; });
  return member == members.end() ? nullptr : &member->second;
}

YamlValue parse_yaml(std::string_view text,
                     const std::string& place,
                     ExitCode code,
                     const YamlLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw InputError(code,
                     place + ": " + std::to_string(text.size()) + " bytes of YAML; at most " +
                         std::to_string(limits.max_bytes) + " are read");
  }
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const TextPlace in_text(text, place, code);
  in_text.require_utf8_text();
  if (is_json_object(text)) return yaml_of_json(in_text, limits);

  std::istringstream stream{std::string(text)};
  Builder builder(in_text, limits);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    // The message may end with a byte of the text.
    const std::string message = "not YAML: " + quote(error.msg);
    if (error.mark.is_null()) throw InputError(code, place + ": " + message);
    in_text.fail(static_cast<size_t>(error.mark.pos), message);
  }
  return builder.take();
}

std::string yaml_string(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  std::string result = "\"";
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::string_view rest = text.substr(i);
    if (text[i] == '"' || text[i] == '\\') {
      (result += '\\') += text[i];
    } else if (text[i] == '\n') {
      result += "\\n";
    } else if (byte < 0x20 || byte == 0x7F) {
      append_hex_escape(byte, result);
    } else if (rest.size() > 1 && byte == 0xC2 && static_cast<unsigned char>(rest[1]) < 0xA0) {
      append_hex_escape(static_cast<unsigned char>(rest[1]), result);
      i += 1;
    } else if (rest.starts_with(kLineSeparator) || rest.starts_with(kParagraphSeparator)) {
      result += rest.starts_with(kLineSeparator) ? "\\L" : "\\P";
      i += 2;
    } else {
      result += text[i];
    }
  }
  return result + '"';
}

}  // namespace prescript
