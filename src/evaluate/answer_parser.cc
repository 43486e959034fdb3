#include "evaluate/answer_parser.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace prescript {
namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

/// Letters and digits, and every byte of a character beyond ASCII.
bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
}

bool is_space(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Without what models put around words to make them bold.
std::string without_emphasis(std::string_view text) {
  std::string plain(text);
  std::erase(plain, '*');
  return plain;
}

bool begins_with(std::string_view text, std::string_view what) {
  return text.size() >= what.size() &&
         std::ranges::equal(text.substr(0, what.size()), what, {}, lower, lower);
}

/// Up to a line, but the first one, that begins with "Question:": there a model that runs on asks
/// itself another question.
std::string_view before_next_question(std::string_view text) {
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    if (begins_with(trim(text.substr(at)), "question:") && !trim(text.substr(0, at)).empty()) {
      return text.substr(0, at);
    }
  }
  return text;
}

bool ends_line(std::string_view rest) {
  const auto stop = std::ranges::find_if_not(rest, [](char c) { return c == ' ' || c == '\t'; });
  return stop == rest.end() || *stop == '\n' || *stop == '\r';
}

/// The end of a sentence or line.
bool ends_sentence(std::string_view rest) {
  if (ends_line(rest)) return true;
  constexpr std::string_view kStops = ".,;:!?";
  return kStops.find(rest.front()) != std::string_view::npos &&
         (rest.size() == 1 || is_space(rest[1]));
}

class Parser {
 public:
  Parser(std::string_view text, std::span<const AnswerOption> options)
      : text_(before_next_question(without_emphasis(text))), options_(options) {
    constexpr std::array<std::string_view, 3> kWords = {"yes", "no", "maybe"};
    asks_for_words_ = std::ranges::all_of(options, [&](const AnswerOption& option) {
      return std::ranges::any_of(kWords, [&](std::string_view word) {
        return word.size() == option.text.size() && begins_with(option.text, word);
      });
    });
  }

  std::optional<std::string> parse() const {
    if (auto stated = last_stated()) return *stated;
    if (auto in_brackets = last_in_brackets()) return in_brackets;
    if (auto whole = whole_text()) return whole;
    return asks_for_words_ ? first_word() : std::nullopt;
  }

 private:
  using Letter = std::optional<std::string>;

  const AnswerOption* find(char letter) const {
    const auto found = std::ranges::find_if(
        options_, [letter](const AnswerOption& o) { return o.letter[0] == letter; });
    return found == options_.end() ? nullptr : &*found;
  }

  /// "(X)" at the beginning; of a stated answer "(x)" too.
  Letter bracketed(std::string_view rest, bool any_case) const {
    if (rest.size() < 3 || rest[0] != '(' || rest[2] != ')') return std::nullopt;
    const char letter =
        any_case ? static_cast<char>(std::toupper(static_cast<unsigned char>(rest[1]))) : rest[1];
    const AnswerOption* const option = find(letter);
    return option != nullptr ? Letter(option->letter) : std::nullopt;
  }

  /// Whether another option is joined to the one before `rest`.
  bool joins_another(std::string_view rest, const std::string& letter) const {
    constexpr std::array<std::string_view, 7> kJoints = {" ", "or ", "and ", "/", "&", ",", ";"};
    const auto joint = [&] {
      return std::ranges::find_if(kJoints,
                                  [&](std::string_view j) { return begins_with(rest, j); });
    };
    for (auto found = joint(); found != kJoints.end(); found = joint()) {
      rest.remove_prefix(found->size());
    }
    const Letter other = bracketed(rest, true);
    return other && *other != letter;
  }

  /// What stands at the beginning of `rest`; an empty letter for two answers in one.
  std::optional<Letter> answer_at(std::string_view rest) const {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    if (const Letter letter = bracketed(rest, true)) {
      if (joins_another(rest.substr(3), *letter)) return Letter();
      return letter;
    }
    for (const AnswerOption& option : options_) {
      if (begins_with(rest, trim(option.text)) &&
          ends_sentence(rest.substr(trim(option.text).size()))) {
        return Letter(option.letter);
      }
    }
    if (asks_for_words_ || rest.empty()) return std::nullopt;
    const AnswerOption* const option = find(rest.front());
    if (option == nullptr) return std::nullopt;
    rest.remove_prefix(1);
    if (!rest.empty() && (rest.front() == ')' || rest.front() == '.')) rest.remove_prefix(1);
    if (ends_line(rest)) return Letter(option->letter);
    const std::string_view behind = trim(rest);
    const bool is_its_text = behind.size() < rest.size() &&
                             begins_with(behind, trim(option->text)) &&
                             ends_sentence(behind.substr(trim(option->text).size()));
    return is_its_text ? std::optional<Letter>(option->letter) : std::nullopt;
  }

  /// What stands behind "Answer: " at `position`; npos where nothing is stated there.
  size_t behind_statement(size_t position) const {
    if (position > 0 && is_word(text_[position - 1])) return std::string::npos;
    std::string_view rest = std::string_view(text_).substr(position);
    if (!begins_with(rest, "answer")) return std::string::npos;
    rest.remove_prefix(6);
    const auto skip_spaces = [&rest] {
      while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    };
    skip_spaces();
    const bool has_is = begins_with(rest, "is") && (rest.size() == 2 || !is_word(rest[2]));
    if (has_is) rest.remove_prefix(2);
    skip_spaces();
    const bool has_colon = rest.starts_with(':');
    if (has_colon) rest.remove_prefix(1);
    return has_is || has_colon ? text_.size() - rest.size() : std::string::npos;
  }

  std::optional<Letter> last_stated() const {
    for (size_t position = text_.size(); position-- > 0;) {
      const size_t behind = behind_statement(position);
      if (behind == std::string::npos) continue;
      if (auto answer = answer_at(std::string_view(text_).substr(behind))) return answer;
    }
    return std::nullopt;
  }

  /// Whether "(X)" at `position` is one of a list of options: it begins its line, and the line
  /// before or behind begins with another option.
  bool is_listed(size_t position, const std::string& letter) const {
    const std::string_view text = text_;
    const size_t begin = text.find_last_of('\n', position) + 1;
    if (!trim(text.substr(begin, position - begin)).empty()) return false;
    const std::string_view above = trim(text.substr(0, begin));
    const size_t end = text.find('\n', position);
    const Letter before = bracketed(trim(above.substr(above.rfind('\n') + 1)), false);
    const Letter behind =
        end == std::string::npos ? std::nullopt : bracketed(trim(text.substr(end)), false);
    return (before && *before != letter) || (behind && *behind != letter);
  }

  Letter last_in_brackets() const {
    for (size_t position = text_.size(); position-- > 0;) {
      const auto letter = bracketed(std::string_view(text_).substr(position), false);
      if (letter && !is_listed(position, *letter)) return letter;
    }
    return std::nullopt;
  }

  Letter whole_text() const {
    std::string_view whole = trim(text_);
    if (whole.ends_with('.') || whole.ends_with(')')) whole.remove_suffix(1);
    if (whole.size() == 1 && !asks_for_words_) {
      const AnswerOption* const option = find(whole.front());
      if (option != nullptr) return option->letter;
    }
    for (const AnswerOption& option : options_) {
      std::string_view wanted = trim(option.text);
      for (const std::string_view said : {trim(text_), whole}) {
        if (said.size() == wanted.size() && begins_with(said, wanted)) return option.letter;
      }
    }
    return std::nullopt;
  }

  Letter first_word() const {
    const std::string_view whole = trim(text_);
    for (const AnswerOption& option : options_) {
      if (begins_with(whole, option.text) && ends_sentence(whole.substr(option.text.size()))) {
        return option.letter;
      }
    }
    return std::nullopt;
  }

  std::string text_;
  std::span<const AnswerOption> options_;
  bool asks_for_words_ = false;
};

}  // namespace

std::optional<std::string> parse_answer(std::string_view text,
                                        std::span<const AnswerOption> options) {
  return Parser(text, options).parse();
}

}  // namespace prescript
