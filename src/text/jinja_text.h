#pragma once
// Python's operations on strings, on UTF-8. Characters are counted, never bytes.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace prescript::jinja {

/// The characters of valid UTF-8, by number. The text must outlive it.
class Characters {
 public:
  explicit Characters(std::string_view text);

  size_t size() const { return is_ascii_ ? text_.size() : begins_.size() - 1; }
  /// Characters [begin, end).
  std::string_view range(size_t begin, size_t end) const;

 private:
  std::string_view text_;
  bool is_ascii_;
  std::vector<size_t> begins_;  // of each character, and the end; empty for ASCII
};

/// Python's str.isspace() of one character.
bool is_space(char32_t character);

enum class Side { kBoth, kLeft, kRight };
/// Without white space at its ends, or without the characters of `chars`.
std::string_view strip(std::string_view text, const std::optional<std::string>& chars, Side side);

/// The offset of the first `needle` at or behind `from`; npos when there is none. Takes linear time
/// for any texts, unlike std::string_view::find.
size_t find_text(std::string_view text, std::string_view needle, size_t from = 0);

/// str.split: at `separator` (not empty), else at runs of white space; at most `max_splits` times.
std::vector<std::string_view> split(std::string_view text,
                                    const std::optional<std::string>& separator,
                                    size_t max_splits);

/// Upper and lower case of ASCII.
std::string ascii_upper(std::string text);
std::string ascii_lower(std::string text);
bool is_ascii(std::string_view text);

}  // namespace prescript::jinja
