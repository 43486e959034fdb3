#pragma once
// What raters are asked: the axes of an answer, each with its options.

#include <span>
#include <string>
#include <vector>

namespace prescript {

struct AxisOption {
  std::string key;    // in files: "aligned"
  std::string label;  // on the page: "Aligned with consensus"
};

/// One question about an answer.
struct Axis {
  std::string key;       // in files: "consensus"
  std::string title;     // in reports: "Scientific consensus"
  std::string question;  // on the page
  std::vector<AxisOption> options;
  size_t favourable;        // the option that speaks for the answer; shares of it are compared
  bool is_ordinal = false;  // options stand in an order, for the agreement of raters
};

/// The 12 axes for clinicians. Source   Singhal et al. 2023, table of the human evaluation.
std::span<const Axis> clinician_axes();

/// The 2 axes for lay people, of the same source.
std::span<const Axis> lay_axes();

/// The axes of a ranking of `num_answers` answers: for each, lettered from A, the place that it
/// takes, 1 being best; several may share one.
std::vector<Axis> ranking_axes(size_t num_answers);

}  // namespace prescript
