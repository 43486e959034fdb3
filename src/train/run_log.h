#pragma once
// What a run writes down step by step: metrics.jsonl, and TensorBoard's events.

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/event_file.h"
#include "base/metrics.h"
#include "ops/phase_clock.h"

namespace prescript {

/// What a step was for one candidate; loss and norm are those before the update and before
/// clipping, and not a number where they were not finite.
struct CandidateStep {
  size_t candidate = 0;  // index
  double loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
  std::vector<std::string> warnings = {};  // signs that it is going wrong
};

/// What a step under privacy was.
struct PrivacyReport {
  int64_t num_exemplars = 0;  // that were drawn
  int64_t num_clipped = 0;    // of them, whose gradient was longer than the clip norm
  double epsilon = 0;         // that the run has spent with this step
};

/// The figures of one finished step.
struct StepReport {
  int64_t step = 0;
  std::vector<CandidateStep> candidates = {};  // those that were in it
  double seconds = 0;                          // without evaluation and checkpoints
  PhaseSeconds phases = {};                    // what of them went into each phase
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;
  int64_t rows_padded = 0;
  double flops = 0;                  // that it needs: nothing recomputed counts
  double peak_flops_per_second = 0;  // of the processor; 0: not measured
  std::optional<PrivacyReport> privacy = {};

  double flops_per_second() const { return flops / seconds; }
  double share_of_peak() const { return flops_per_second() / peak_flops_per_second; }

  /// Takes `measured` as the peak, or what this step reached where that is more: loops that other
  /// programs interrupt say too little. 0 stays 0.
  void set_peak(double measured) {
    peak_flops_per_second = measured > 0 ? std::max(measured, flops_per_second()) : 0;
  }
};

struct CandidateValidation {
  size_t candidate = 0;  // index
  double loss = 0;
  bool is_best = false;  // of all of this candidate after step 0
};

/// A validation behind a step; step 0 is before the first.
struct ValidationReport {
  int64_t step = 0;
  std::vector<CandidateValidation> candidates = {};  // those that were in it
};

class RunLog {
 public:
  /// Keeps the first bytes of both files, which belong to the steps that a checkpoint holds; 0
  /// begins them anew. Of several candidates each has lines and scalars of its own, which carry its
  /// number (from 1), and what a step takes has a line for all. A warning is a line of its own.
  RunLog(size_t num_candidates,
         const std::string& metrics_path,
         uint64_t metrics_bytes,
         const std::string& events_path,
         uint64_t events_bytes);

  void add(const StepReport& report);
  void add(const ValidationReport& report);

  /// Returns when all of it is on the disk: before a checkpoint remembers the sizes.
  void sync();
  uint64_t metrics_bytes() const { return metrics_.bytes(); }
  uint64_t events_bytes() const { return events_.bytes(); }

 private:
  /// A line that begins with the step, and the candidate where there are several.
  MetricsLine line_of(int64_t step, size_t candidate) const;
  void add_scalar(const std::string& tag, int64_t step, size_t candidate, double value, double now);

  size_t num_candidates_;
  MetricsFile metrics_;
  EventFile events_;
};

}  // namespace prescript
