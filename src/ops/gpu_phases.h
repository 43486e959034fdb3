#pragma once
// Phases of a step on the card: their time by its clock, and as ranges that profilers show (NVTX).

#include <optional>
#include <vector>

#include <cuda_runtime.h>

#include "ops/phase_clock.h"

namespace prescript {

/// PhaseClock for work that is asked for on a stream.
class GpuPhases {
 public:
  static constexpr size_t kMostMarks = 4096;  // where nobody takes the seconds, they do not grow

  explicit GpuPhases(cudaStream_t stream) : stream_(stream) {}
  GpuPhases(const GpuPhases&) = delete;
  GpuPhases& operator=(const GpuPhases&) = delete;
  ~GpuPhases();

  void begin(std::optional<Phase> phase);
  PhaseSeconds take();

 private:
  struct Mark {
    std::optional<Phase> phase;
    cudaEvent_t event = nullptr;
  };

  /// Waits for the last mark, from which the next are counted, and adds what lies between all.
  void settle();

  cudaStream_t stream_;
  PhaseSeconds seconds_{};   // of marks that were settled
  std::vector<Mark> marks_;  // the first num_marks_ were passed since then
  size_t num_marks_ = 0;
};

}  // namespace prescript
