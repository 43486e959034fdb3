#pragma once
// One rendering of a chat template: the line it is at, and what it may still spend.

#include <cstddef>
#include <string>

namespace prescript::jinja {

/// Levels of nesting: of a template's text, of calls of macros, and of lists in lists.
inline constexpr size_t kMaxDepth = 64;

/// Throws InputError(kModel) "place:line: message", with the way out.
[[noreturn]] void fail_at(const std::string& place, size_t line, const std::string& message);

/// Every loop over something that a template can make long spends steps, so that no template runs
/// for long or holds much memory.
class Run {
 public:
  /// No text may become longer than `max_bytes`.
  Run(const std::string& place, size_t max_bytes) : place_(place), max_bytes_(max_bytes) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void at_line(size_t line) { line_ = line; }
  [[noreturn]] void fail(const std::string& message) const { fail_at(place_, line_, message); }

  void spend(size_t steps);
  /// For reading or writing that many bytes.
  void spend_bytes(size_t bytes) { spend(1 + bytes / 512); }
  /// Fails when a text would have that many bytes.
  void check_bytes(size_t bytes) const;

 private:
  const std::string& place_;
  size_t max_bytes_;
  size_t line_ = 1;
  size_t steps_left_ = 1'000'000;
};

}  // namespace prescript::jinja
