#pragma once
// The two streams of a command: results to stdout, everything else to stderr.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace prescript {

/// Makes descriptors 0 to 2 safe: one that the caller closed must not become a file of ours, and a
/// reader that goes away must be an error, not a signal.
void prepare_standard_streams();

/// Text for a terminal: bytes that are not UTF-8, and control characters other than
/// newline and tab, become \xNN, so that no input can drive it.
std::string printable(std::string_view text);

/// Writes a line of results. Throws DeviceError (exit 5) when stdout cannot take it: a full disk, a
/// closed pipe.
void write_result(std::string_view line);

/// Writes a line to stderr, as `printable` makes it; what cannot be written is lost.
void write_message(std::string_view line);
void write_warning(std::string_view text);

/// How far a long computation is: rewritten in place on a terminal, a line every few seconds
/// elsewhere.
class Progress {
 public:
  /// `what` names the things counted ("questions"), `done` of which are done before it begins, and
  /// with them `share` of the work, where the things are not alike.
  Progress(std::string what, size_t total, size_t done = 0, std::optional<double> share = {});
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `note` is shown behind the count; where a terminal is narrow, it is broken behind its commas.
  /// `share` of the work is done; absent: as of the things.
  void show(size_t done, std::string_view note = {}, std::optional<double> share = {});
  /// Takes it away from a terminal, so that others may write.
  void end();

 private:
  using Clock = std::chrono::steady_clock;

  std::string what_;
  size_t total_;
  bool is_terminal_;
  double share_before_;
  int64_t lines_open_ = 0;
  Clock::time_point begin_;
  Clock::time_point shown_;
};

}  // namespace prescript
