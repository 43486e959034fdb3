#include "text/jinja_json.h"

#include <algorithm>
#include <cmath>

#include "text/utf8.h"

namespace prescript::jinja {
namespace {

class Writer {
 public:
  Writer(Run& run, const JsonForm& form) : run_(run), form_(form) {}

  void write(const Value& value) {
    run_.spend(1);
    run_.check_bytes(out.size());
    const Sequence* sequence = as_sequence(value);
    if (const std::string* text = as_text(value)) {
      write_text(*text);
    } else if (const Dict* dict = as_dict(value)) {
      write_dict(*dict);
    } else if (sequence != nullptr && sequence->kind <= SequenceKind::kTuple) {
      write_list(*sequence);
    } else {
      out += scalar(value);
    }
  }

  std::string out;

 private:
  std::string scalar(const Value& value) const {
    if (std::holds_alternative<None>(value)) return "null";
    if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const int64_t* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
    const double* number = std::get_if<double>(&value);
    if (number == nullptr) run_.fail(kind_of(value) + " cannot be written as JSON");
    if (std::isnan(*number)) return "NaN";
    if (std::isinf(*number)) return *number > 0 ? "Infinity" : "-Infinity";
    return float_text(*number);
  }

  void write_escape(char32_t unit) {
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += "0123456789abcdef"[unit >> shift & 15];
  }

  void write_text(const std::string& text) {
    run_.spend_bytes(text.size());
    out += '"';
    for (size_t position = 0; position < text.size();) {
      const size_t begin = position;
      const char32_t character = next_character(text, position);
      constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t";
      const size_t short_form =
          character < 0x80 ? kEscaped.find(static_cast<char>(character)) : std::string::npos;
      if (short_form != std::string_view::npos) {
        out += {'\\', "\"\\bfnrt"[short_form]};
      } else if (character >= 0x10000 && form_.ensure_ascii) {
        write_escape(0xd800 + ((character - 0x10000) >> 10));
        write_escape(0xdc00 + ((character - 0x10000) & 0x3ff));
      } else if (character < 0x20 || (character >= 0x7f && form_.ensure_ascii)) {
        write_escape(character);
      } else {
        out.append(text, begin, position - begin);
      }
    }
    out += '"';
  }

  /// What separates an item from what stands before it.
  void next_item(bool is_first) {
    if (!is_first) out += form_.item_separator;
    new_line();
  }

  void new_line() {
    if (!form_.indent) return;
    out += '\n';
    for (size_t i = 0; i < level_; ++i) out += *form_.indent;
  }

  void write_list(const Sequence& sequence) {
    if (sequence.items.empty()) {
      out += "[]";
      return;
    }
    out += '[';
    ++level_;
    for (size_t i = 0; i < sequence.items.size(); ++i) {
      next_item(i == 0);
      write(sequence.items[i]);
    }
    --level_;
    new_line();
    out += ']';
  }

  void write_dict(const Dict& dict) {
    if (dict.entries.empty()) {
      out += "{}";
      return;
    }
    auto entries = dict.entries;
    if (form_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(), [&](const auto& a, const auto& b) {
        return compare_keys(a.first, b.first);
      });
    }
    out += '{';
    ++level_;
    for (size_t i = 0; i < entries.size(); ++i) {
      next_item(i == 0);
      const std::string* text = as_text(entries[i].first);
      write_text(text == nullptr ? scalar(entries[i].first) : *text);
      out += form_.key_separator;
      write(entries[i].second);
    }
    --level_;
    new_line();
    out += '}';
  }

  bool compare_keys(const Value& left, const Value& right) const {
    if (as_text(left) == nullptr || as_text(right) == nullptr)
      run_.fail("sorting keys that are not strings is not supported");
    return *as_text(left) < *as_text(right);
  }

  Run& run_;
  const JsonForm& form_;
  size_t level_ = 0;
};

}  // namespace

std::string to_json(Run& run, const Value& value, const JsonForm& form) {
  Writer writer(run, form);
  writer.write(value);
  return std::move(writer.out);
}

}  // namespace prescript::jinja
