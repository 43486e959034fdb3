#include "evaluate/answer_parser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

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
    if (auto in_brackets = last_in_brackets(0)) return in_brackets;
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
    const Letter letter = lettered(rest);
    return letter ? std::optional<Letter>(letter) : std::nullopt;
  }

  /// "X", "X)" or "X." at the beginning, and then the end of the line or that option's text.
  Letter lettered(std::string_view rest) const {
    if (asks_for_words_ || rest.empty()) return std::nullopt;
    const AnswerOption* const option = find(rest.front());
    if (option == nullptr) return std::nullopt;
    rest.remove_prefix(1);
    if (!rest.empty() && (rest.front() == ')' || rest.front() == '.')) rest.remove_prefix(1);
    if (ends_line(rest)) return option->letter;
    const std::string_view behind = trim(rest);
    const bool is_its_text = behind.size() < rest.size() &&
                             begins_with(behind, trim(option->text)) &&
                             ends_sentence(behind.substr(trim(option->text).size()));
    return is_its_text ? Letter(option->letter) : std::nullopt;
  }

  struct Statement {
    size_t behind = 0;       // where what it states begins
    bool has_colon = false;  // else "answer is"
  };

  /// "Answer: " or "answer is " at `position`.
  std::optional<Statement> statement_at(size_t position) const {
    if (position > 0 && is_word(text_[position - 1])) return std::nullopt;
    std::string_view rest = std::string_view(text_).substr(position);
    if (!begins_with(rest, "answer")) return std::nullopt;
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
    if (!has_is && !has_colon) return std::nullopt;
    return Statement{text_.size() - rest.size(), has_colon};
  }

  std::optional<Letter> last_stated() const {
    for (size_t position = text_.size(); position-- > 0;) {
      const auto statement = statement_at(position);
      if (!statement) continue;
      const std::string_view rest = std::string_view(text_).substr(statement->behind);
      if (auto answer = answer_at(rest)) return answer;
      if (statement->has_colon && !trim(rest).empty()) return last_in_brackets(statement->behind);
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

  /// Whether "not" or "n't" stands before `position`.
  bool is_denied(size_t position) const {
    const std::string_view before = trim(std::string_view(text_).substr(0, position));
    for (const std::string_view word : {"not", "n't"}) {
      if (before.size() < word.size()) continue;
      const size_t begin = before.size() - word.size();
      const bool is_whole = word == "n't" || begin == 0 || !is_word(before[begin - 1]);
      if (is_whole && begins_with(before.substr(begin), word)) return true;
    }
    return false;
  }

  /// Behind `begin`.
  Letter last_in_brackets(size_t begin) const {
    const std::string_view text = text_;
    Letter last;
    bool is_joined = false;  // to the one before
    for (size_t position = begin; position < text.size(); ++position) {
      const Letter letter = bracketed(text.substr(position), false);
      if (!letter) continue;
      const bool joins = joins_another(text.substr(position + 3), *letter);
      const bool stands_alone = !std::exchange(is_joined, joins) && !joins;
      if (stands_alone && !is_listed(position, *letter) && !is_denied(position)) last = letter;
    }
    return last;
  }

  Letter whole_text() const {
    std::string_view whole = trim(text_);
    if (whole.find('\n') == std::string_view::npos) {
      if (const Letter letter = lettered(whole)) return letter;
    }
    if (whole.ends_with('.') || whole.ends_with(')')) whole.remove_suffix(1);
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
