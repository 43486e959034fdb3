#include "text/regex_syntax.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "base/error.h"
#include "io/quote.h"
#include "text/unicode_categories.h"

namespace prescript {
namespace {

class Rewriter {
 public:
  Rewriter(std::string_view pattern, const std::string& place) : pattern_(pattern), place_(place) {}

  std::string rewrite() {
    while (position_ < pattern_.size()) {
      switch (pattern_[position_]) {
        case '\\':
          escape(false);
          break;
        case '[':
          character_class();
          break;
        case '(':
          group();
          break;
        case '{':
          interval();
          break;
        case '^':
        case '$':
          refuse(1);
        case '.':
          out_ += "[^\\n]";
          ++position_;
          break;
        default:
          out_ += pattern_[position_++];
      }
    }
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(size_t length) const {
    throw InputError(ExitCode::kModel,
                     place_ + ": pattern " + quote(pattern_) + ": " +
                         quote(pattern_.substr(position_, length)) + " at byte " +
                         std::to_string(position_) +
                         " is not supported; this pre-tokeniser cannot be used");
  }

  bool at(std::string_view text) const { return pattern_.substr(position_, text.size()) == text; }

  void take(std::string_view text) {
    out_ += text;
    position_ += text.size();
  }

  /// A set of characters: bare inside of a class, a class of its own outside.
  void emit_set(const std::string& set, bool negated, bool in_class, size_t length) {
    if (in_class && negated) refuse(length);
    out_ += in_class ? set : (negated ? "[^" : "[") + set + "]";
    position_ += length;
  }

  void escape(bool in_class) {
    if (position_ + 1 >= pattern_.size()) refuse(1);
    const char kind = pattern_[position_ + 1];
    switch (kind) {
      case 'p':
      case 'P':
        return property(kind == 'P', in_class);
      case 's':
      case 'S':
        return emit_set(white_space_set(), kind == 'S', in_class, 2);
      case 'd':
      case 'D':
        return emit_set(*category_set("Nd"), kind == 'D', in_class, 2);
      case 'r':
        return take("\\r");
      case 'n':
        return take("\\n");
      case 't':
        return take("\\t");
      case 'u':
        return hexadecimal(position_ + 2, position_ + 6);
      case 'x': {
        const size_t close = pattern_.find('}', position_);
        if (!at("\\x{") || close == std::string_view::npos) refuse(2);
        hexadecimal(position_ + 3, close);
        ++position_;
        return;
      }
      default:
        if (!std::ispunct(static_cast<unsigned char>(kind))) refuse(2);
        return take(pattern_.substr(position_, 2));
    }
  }

  void property(bool negated, bool in_class) {
    const size_t close = pattern_.find('}', position_);
    if (pattern_.substr(position_ + 2, 1) != "{" || close == std::string_view::npos) refuse(2);
    const size_t length = close + 1 - position_;
    const auto set = category_set(pattern_.substr(position_ + 3, length - 4));
    if (!set) refuse(length);
    emit_set(*set, negated, in_class, length);
  }

  /// The digits of a character's number in [begin, end).
  void hexadecimal(size_t begin, size_t end) {
    const bool valid = begin < end && end <= pattern_.size() && end - begin <= 6 &&
                       std::all_of(pattern_.begin() + begin, pattern_.begin() + end, [](char c) {
                         return std::isxdigit(static_cast<unsigned char>(c)) != 0;
                       });
    if (!valid) refuse(2);
    out_ += "\\x{" + std::string(pattern_.substr(begin, end - begin)) + "}";
    position_ = end;
  }

  void character_class() {
    take(at("[^") ? "[^" : "[");
    if (at("]")) refuse(1);
    while (!at("]")) {
      if (position_ >= pattern_.size()) {
        throw InputError(ExitCode::kModel,
                         place_ + ": pattern " + quote(pattern_) + ": a class has no ']'");
      }
      if (at("[") || at("&&")) refuse(2);  // nested sets
      if (at("\\")) {
        escape(true);
      } else {
        out_ += pattern_[position_++];
      }
    }
    take("]");
  }

  void group() {
    constexpr std::array<std::string_view, 7> kKinds = {
        "(?:", "(?i:", "(?=", "(?!", "(?<=", "(?<!", "(?>"};
    for (std::string_view kind : kKinds) {
      if (at(kind)) return take(kind);
    }
    if (at("(?") || at("(*")) refuse(3);
    out_ += "(?:";  // no pre-tokeniser reads what a group captured
    ++position_;
  }

  /// {n}, {n,} or {n,m}. What may follow it means another thing in each syntax.
  void interval() {
    const size_t close = pattern_.find('}', position_);
    if (close == std::string_view::npos) refuse(1);
    const std::string_view inside = pattern_.substr(position_ + 1, close - position_ - 1);
    const bool valid = !inside.empty() && inside[0] != ',' &&
                       std::count(inside.begin(), inside.end(), ',') <= 1 &&
                       inside.find_first_not_of("0123456789,") == std::string_view::npos;
    if (!valid) refuse(close + 1 - position_);
    const std::string_view next = pattern_.substr(close + 1, 1);
    if (next == "+" || next == "?") refuse(close + 2 - position_);
    take(pattern_.substr(position_, close + 1 - position_));
  }

  std::string_view pattern_;
  const std::string& place_;
  size_t position_ = 0;
  std::string out_;
};

}  // namespace

std::string pcre2_pattern(std::string_view pattern, const std::string& place) {
  return Rewriter(pattern, place).rewrite();
}

}  // namespace prescript
