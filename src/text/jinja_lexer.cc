#include "text/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include "text/jinja_text.h"
#include "text/utf8.h"

namespace prescript::jinja {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_';
}
bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c);
}

/// Every kind of line end as \n, without one at the end.
std::string normalized(std::string_view source) {
  std::string text;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    text += source[i] == '\r' ? '\n' : source[i];
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& place)
      : text_(normalized(source)), place_(place) {}

  std::vector<Token> tokenize() {
    while (position_ < text_.size()) data_and_tag();
    add(TokenKind::kEnd, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const { fail_at(place_, line_, message); }

  bool at(std::string_view part) const {
    return std::string_view(text_).substr(position_, part.size()) == part;
  }

  /// Moves on, counting lines.
  void skip(size_t count) {
    line_ += static_cast<size_t>(
        std::count(text_.begin() + static_cast<std::ptrdiff_t>(position_),
                   text_.begin() + static_cast<std::ptrdiff_t>(position_ + count),
                   '\n'));
    position_ += count;
    line_starting_ = position_ > 0 && text_[position_ - 1] == '\n';
  }

  bool take(std::string_view part) {
    if (!at(part)) return false;
    skip(part.size());
    return true;
  }

  void skip_space() {
    const std::string_view rest = std::string_view(text_).substr(position_);
    skip(rest.size() - strip(rest, std::nullopt, Side::kLeft).size());
  }

  void add(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  /// The text before the tag that begins at `end`, as the tag's sign and lstrip_blocks leave it.
  void data(size_t end, char sign, bool is_variable) {
    std::string_view text = std::string_view(text_).substr(position_, end - position_);
    if (sign == '-') {
      text = strip(text, std::nullopt, Side::kRight);
    } else if (sign != '+' && !is_variable) {
      const size_t line_begin = text.rfind('\n') + 1;  // npos + 1 is 0
      const bool may_strip = line_begin > 0 || line_starting_;
      if (may_strip && strip(text.substr(line_begin), std::nullopt, Side::kLeft).empty())
        text = text.substr(0, line_begin);
    }
    if (!text.empty()) add(TokenKind::kData, std::string(text));
    skip(end - position_);
  }

  char sign_at(size_t position) const {
    const char c = position < text_.size() ? text_[position] : ' ';
    return c == '-' || c == '+' ? c : ' ';
  }

  void data_and_tag() {
    size_t begin = text_.find('{', position_);
    const auto opens = [&](size_t at) {
      return at + 1 < text_.size() &&
             std::string_view("{%#").find(text_[at + 1]) != std::string::npos;
    };
    while (begin != std::string::npos && !opens(begin)) begin = text_.find('{', begin + 1);
    if (begin == std::string::npos) {
      add(TokenKind::kData, text_.substr(position_));
      return skip(text_.size() - position_);
    }
    const char kind = text_[begin + 1];
    const char sign = sign_at(begin + 2);
    data(begin, sign, kind == '{');
    skip(sign == ' ' ? 2 : 3);
    if (kind == '#') return comment();
    if (kind == '%' && raw_tag()) return raw();
    add(kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
    expression(kind == '{');
  }

  void comment() {
    const size_t end = text_.find("#}", position_);
    if (end == std::string::npos) fail("this comment has no end");
    const char sign = end > position_ ? sign_at(end - 1) : ' ';
    skip(end - position_);
    close("#}", sign);
  }

  /// The end of a tag and the white space behind it that goes with it.
  void close(std::string_view mark, char sign) {
    skip(mark.size());
    if (sign == '-') {
      skip_space();
    } else if (sign != '+' && mark != "}}") {
      take("\n");
    }
  }

  /// Behind "{%": whether this is the raw tag; if so, moves behind it.
  bool raw_tag() {
    const std::string_view rest = std::string_view(text_).substr(position_);
    std::string_view tail = strip(rest, std::nullopt, Side::kLeft);
    if (!tail.starts_with("raw")) return false;
    tail = strip(tail.substr(3), std::nullopt, Side::kLeft);
    if (!tail.starts_with("%}") && !tail.starts_with("-%}")) return false;
    skip(rest.size() - tail.size());
    if (take("-%}")) {
      skip_space();
    } else {
      skip(2);
    }
    return true;
  }

  void raw() {
    for (size_t begin = text_.find("{%", position_); begin != std::string::npos;
         begin = text_.find("{%", begin + 2)) {
      const char sign = sign_at(begin + 2);
      const std::string_view rest = std::string_view(text_).substr(begin + (sign == ' ' ? 2 : 3));
      std::string_view tail = strip(rest, std::nullopt, Side::kLeft);
      if (!tail.starts_with("endraw")) continue;
      tail = strip(tail.substr(6), std::nullopt, Side::kLeft);
      const char end_sign = tail.empty() || tail[0] == '%' ? ' ' : tail[0];
      if (!tail.substr(end_sign == ' ' ? 0 : 1).starts_with("%}")) continue;
      if (end_sign != ' ' && end_sign != '-' && end_sign != '+') continue;
      data(begin, sign, false);
      skip(text_.size() - tail.size() - position_ + (end_sign == ' ' ? 0 : 1));
      return close("%}", end_sign);
    }
    fail("{% raw %} has no {% endraw %}");
  }

  /// Tokens up to the end of the tag, which only counts outside of brackets.
  void expression(bool is_variable) {
    const std::string_view mark = is_variable ? "}}" : "%}";
    std::string open;  // the brackets to be closed, innermost last
    for (;;) {
      skip_space();
      if (position_ >= text_.size()) fail("a tag has no end: " + std::string(mark) + " is missing");
      if (open.empty()) {
        const char sign = at("-") || (at("+") && !is_variable) ? text_[position_] : ' ';
        if (std::string_view(text_).substr(position_ + (sign == ' ' ? 0 : 1)).starts_with(mark)) {
          if (sign != ' ') skip(1);
          add(is_variable ? TokenKind::kVariableEnd : TokenKind::kBlockEnd, "");
          return close(mark, sign);
        }
      }
      token(open);
    }
  }

  void token(std::string& open) {
    const char c = text_[position_];
    if (is_digit(c)) return number();
    if (is_name_start(c)) return name();
    if (c == '\'' || c == '"') return string();
    constexpr std::array<std::string_view, 6> kLong = {"//", "**", "==", "!=", ">=", "<="};
    std::string_view text = std::string_view(text_).substr(position_, 2);
    if (std::find(kLong.begin(), kLong.end(), text) == kLong.end()) {
      text = text.substr(0, 1);
      if (std::string_view("+-/*%~[](){}><=.:|,").find(text) == std::string_view::npos)
        fail("a character that is not supported in a tag");
    }
    if (std::string_view("([{").find(text) != std::string_view::npos) {
      open += c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (std::string_view(")]}").find(text) != std::string_view::npos) {
      if (open.empty() || open.back() != c) fail("an unexpected '" + std::string(text) + "'");
      open.pop_back();
    }
    add(TokenKind::kOperator, std::string(text));
    skip(text.size());
  }

  void name() {
    size_t end = position_;
    while (end < text_.size() && is_name_part(text_[end])) ++end;
    if (end < text_.size() && static_cast<unsigned char>(text_[end]) >= 0x80)
      fail("a name beyond ASCII is not supported");
    add(TokenKind::kName, text_.substr(position_, end - position_));
    skip(end - position_);
  }

  /// The end of the digits at `begin`, which single underscores may separate.
  size_t digits_end(size_t begin) const {
    size_t end = begin;
    while (end < text_.size() && is_digit(text_[end])) {
      ++end;
      if (end + 1 < text_.size() && text_[end] == '_' && is_digit(text_[end + 1])) ++end;
    }
    return end;
  }

  void number() {
    size_t end = digits_end(position_);
    const auto character = [&](size_t at) { return at < text_.size() ? text_[at] : ' '; };
    const bool follows_dot = position_ > 0 && text_[position_ - 1] == '.';  // a.1.5 has two items
    bool is_float = false;
    if (!follows_dot && character(end) == '.' && is_digit(character(end + 1))) {
      end = digits_end(end + 1);
      is_float = true;
    }
    if (!follows_dot && (character(end) | 0x20) == 'e') {
      const size_t digits = end + (character(end + 1) == '-' || character(end + 1) == '+' ? 2 : 1);
      if (is_digit(character(digits))) {
        end = digits_end(digits);
        is_float = true;
      }
    }
    std::string digits = text_.substr(position_, end - position_);
    std::erase(digits, '_');
    if (is_name_part(character(end)) || (!is_float && digits.size() > 1 && digits[0] == '0'))
      fail("a number that is not supported");
    Token token{TokenKind::kNumber, digits, line_};
    if (is_float) {
      double value = 0;
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (read.ec != std::errc()) fail("a number outside of float64");
      token.number = value;
    } else {
      int64_t value = 0;
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (read.ec != std::errc()) fail("a whole number does not fit into 64 bits");
      token.number = value;
    }
    tokens_.push_back(std::move(token));
    skip(end - position_);
  }

  void string() {
    const char mark = text_[position_];
    std::string value;
    size_t at = position_ + 1;
    while (at < text_.size() && text_[at] != mark) {
      if (text_[at] == '\\') {
        at = escape(at + 1, value);
      } else {
        value += text_[at++];
      }
    }
    if (at >= text_.size()) fail("a string has no end");
    add(TokenKind::kText, std::move(value));
    skip(at + 1 - position_);
  }

  /// Appends what the escape behind a backslash stands for; returns where it ends.
  size_t escape(size_t at, std::string& value) {
    if (at >= text_.size()) fail("a string has no end");
    const char kind = text_[at];
    constexpr std::string_view kKinds = "\\'\"abfnrtv\n";
    constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
    const size_t index = kKinds.find(kind);
    if (index < kMeanings.size()) {
      value += kMeanings[index];
      return at + 1;
    }
    if (index != std::string_view::npos) return at + 1;  // a line that goes on
    if (kind == 'N') fail("the escape \\N is not supported");
    const bool is_octal = kind >= '0' && kind <= '7';
    const size_t max_digits = is_octal      ? 3
                              : kind == 'x' ? 2
                              : kind == 'u' ? 4
                              : kind == 'U' ? 8
                                            : 0;
    if (max_digits == 0) {
      value += '\\';  // no escape: both characters stay
      return at;
    }
    const size_t begin = is_octal ? at : at + 1;
    const size_t end = std::min(begin + max_digits, text_.size());
    uint32_t character = 0;
    const auto read =
        std::from_chars(&text_[begin], text_.data() + end, character, is_octal ? 8 : 16);
    const auto stop = static_cast<size_t>(read.ptr - text_.data());
    if (!is_octal && stop != begin + max_digits) fail("an escape that is too short");
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000))
      fail("an escape that is no character");
    append_utf8(character, value);
    return stop;
  }

  std::string text_;
  const std::string& place_;
  size_t position_ = 0;
  size_t line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, const std::string& place) {
  return Lexer(source, place).tokenize();
}

}  // namespace prescript::jinja
