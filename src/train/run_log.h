#pragma once
// What a run writes down step by step: metrics.jsonl, and TensorBoard's events.

#include <string>

#include "base/event_file.h"
#include "base/metrics.h"

namespace prescript {

/// The figures of one finished step; loss and norm are those before the update and before clipping.
struct StepReport {
  int64_t step = 0;
  double loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
  double seconds = 0;  // without evaluation and checkpoints
  int64_t rows_computed = 0;
  int64_t rows_unshared = 0;
  int64_t rows_padded = 0;
  double flops = 0;                  // that it needs: nothing recomputed counts
  double peak_flops_per_second = 0;  // of the processor; 0: not measured

  double flops_per_second() const { return flops / seconds; }
  double share_of_peak() const { return flops_per_second() / peak_flops_per_second; }
};

/// A validation behind a step; step 0 is before the first.
struct ValidationReport {
  int64_t step = 0;
  double loss = 0;
  bool is_best = false;  // of all after step 0
};

class RunLog {
 public:
  /// Keeps the first bytes of both files, which belong to the steps that a checkpoint holds; 0
  /// begins them anew.
  RunLog(const std::string& metrics_path,
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
  MetricsFile metrics_;
  EventFile events_;
};

}  // namespace prescript
