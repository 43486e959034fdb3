#pragma once
// Faults planted in small kernels, each beside its remedy: what the emulator is for must be seen.

#include <ostream>
#include <string>
#include <vector>

#include "emulator/race_detector.h"

namespace prescript::cuda {

struct PlantedFault {
  std::string name;

  /// Runs the kernel on the schedule in place and says whether its result is right. May throw
  /// KernelFault.
  bool (*is_right)(bool is_faulty);

  /// In how many schedules a plain run shows it, by its result or a KernelFault.
  enum class Shown { kAlways, kSometimes, kNever };
  Shown by_running;

  /// What the KernelFault says, where there is one.
  std::string message;

  /// What the race detector finds: one of these in every schedule, and none where it cannot.
  std::vector<emulator::RaceReport::Kind> races;

  /// Whether a build with AddressSanitizer or UndefinedBehaviorSanitizer ends there.
  bool ends_sanitized_build = false;
};

inline std::ostream& operator<<(std::ostream& out, const PlantedFault& fault) {
  return out << fault.name;
}

const std::vector<PlantedFault>& planted_faults();

}  // namespace prescript::cuda
