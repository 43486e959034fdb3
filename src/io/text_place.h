#pragma once
// Offsets in a text as the places that messages name.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace prescript {

/// A text with its name. The text must outlive it.
class TextPlace {
 public:
  /// `place` begins every message, `code` is that of every InputError.
  TextPlace(std::string_view text, std::string place, ExitCode code);

  std::string_view text() const { return text_; }
  const std::string& place() const { return place_; }
  ExitCode code() const { return code_; }

  /// Line and column of a byte, in bytes and from 1.
  struct Position {
    int line;
    int column;
  };
  Position position(size_t offset) const;

  /// Throws InputError "place:line:column: message".
  [[noreturn]] void fail(size_t offset, const std::string& message) const;

  /// Throws InputError for bytes that are not UTF-8, and for control characters other than tab,
  /// line feed and carriage return.
  void require_utf8_text() const;

 private:
  std::string_view text_;
  std::string place_;
  ExitCode code_;
  std::vector<size_t> line_begins_;
};

}  // namespace prescript
