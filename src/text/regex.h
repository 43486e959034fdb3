#pragma once
// Searches with PCRE2 under limits.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prescript {

/// Bytes [begin, end) of a text.
struct TextRange {
  size_t begin;
  size_t end;

  bool operator==(const TextRange&) const = default;
};

/// A compiled pattern. Immutable; searches may run in several threads at once.
class Regex {
 public:
  /// `pattern` in PCRE2's syntax, UTF-8. Throws InputError(kModel) "place: ..." for a pattern that
  /// does not compile or that matches the empty text.
  Regex(const std::string& pattern, const std::string& place);
  /// The regex that matches `text` itself.
  static Regex literal(const std::string& text, const std::string& place);

  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  /// Memory that searches reuse; one for each thread.
  class Workspace {
   public:
    Workspace();
    ~Workspace();
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

   private:
    friend class Regex;
    struct Memory;
    std::unique_ptr<Memory> memory_;
  };

  /// Appends all matches in `text` (valid UTF-8) from left to right; they do not overlap. Throws
  /// InputError(kData) when a search exceeds its limits of time or memory.
  void find_all(std::string_view text, Workspace& workspace, std::vector<TextRange>& matches) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<Code> code);
  static std::unique_ptr<Code> compile(const std::string& pattern,
                                       uint32_t options,
                                       const std::string& place);

  std::unique_ptr<Code> code_;
};

}  // namespace prescript
