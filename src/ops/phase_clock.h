#pragma once
// What the time of a step goes into.

#include <array>
#include <chrono>
#include <optional>
#include <utility>

namespace prescript {

enum class Phase {
  kForward,   // embedding, layers, final norm
  kHead,      // targets against the vocabulary, and its input gradient
  kBackward,  // what is recomputed too
};
inline constexpr int kNumPhases = 3;

/// Its name in metrics and profiles.
constexpr const char* name_of(Phase phase) {
  constexpr const char* kNames[kNumPhases] = {"forward", "head", "backward"};
  return kNames[static_cast<int>(phase)];
}

using PhaseSeconds = std::array<double, kNumPhases>;

/// Of a backend whose operations are done when they return.
class PhaseClock {
 public:
  /// Ends the phase before; nothing: none begins.
  void begin(std::optional<Phase> phase) {
    const auto now = std::chrono::steady_clock::now();
    if (phase_) {
      seconds_[static_cast<int>(*phase_)] += std::chrono::duration<double>(now - begin_).count();
    }
    phase_ = phase;
    begin_ = now;
  }

  /// Since they were taken before.
  PhaseSeconds take() {
    begin({});
    return std::exchange(seconds_, {});
  }

 private:
  std::optional<Phase> phase_;
  std::chrono::steady_clock::time_point begin_;
  PhaseSeconds seconds_{};
};

}  // namespace prescript
