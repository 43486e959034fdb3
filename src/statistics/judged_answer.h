#pragma once
// What calibration and deferral are computed from.

namespace prescript {

/// One answer: how sure the system was of it, in [0, 1] (a vote share, a probability), and whether
/// it was right.
struct JudgedAnswer {
  double confidence;
  bool correct;
};

}  // namespace prescript
