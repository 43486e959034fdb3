#include "cli/run_display.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/counted.h"

namespace prescript {
namespace {

/// Three digits and a prefix of the SI: "783 G".
std::string with_prefix(double value) {
  constexpr std::array<const char*, 7> kPrefixes = {"", "k", "M", "G", "T", "P", "E"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  const int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return rounded(value, digits) + " " + kPrefixes[prefix];
}

/// "loss 2.103", or of several candidates "losses 2.103 (candidate 2) to 2.511 (candidate 5)".
template <typename CandidateReport>
std::string describe_losses(const std::vector<CandidateReport>& candidates, int digits) {
  if (candidates.size() == 1) return "loss " + rounded(candidates[0].loss, digits);
  // What is not a number stands last.
  const auto order = [](const CandidateReport& a, const CandidateReport& b) {
    return a.loss < b.loss || (std::isnan(b.loss) && !std::isnan(a.loss));
  };
  const auto [least, most] = std::minmax_element(candidates.begin(), candidates.end(), order);
  const auto text = [digits](const CandidateReport& report) {
    return rounded(report.loss, digits) + " (candidate " + std::to_string(report.candidate + 1) +
           ")";
  };
  return "losses " + text(*least) + " to " + text(*most);
}

/// ", epsilon 1.234", or nothing without privacy.
std::string describe_spending(const StepReport& report) {
  return report.privacy ? ", epsilon " + rounded(report.privacy->epsilon, 3) : "";
}

}  // namespace

std::string rounded(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string describe_rows(const StepReport& report) {
  return counted(report.rows_computed, "row") + " computed (" +
         std::to_string(report.rows_unshared) + " unshared, " + std::to_string(report.rows_padded) +
         " padded)";
}

std::string describe_flops(const StepReport& report) {
  std::string text = with_prefix(report.flops) + "FLOP";
  if (report.seconds > 0) text += ", " + with_prefix(report.flops_per_second()) + "FLOP/s";
  if (report.seconds > 0 && report.peak_flops_per_second > 0) {
    text += ", " + rounded(100 * report.share_of_peak(), 0) + " % of the measured peak";
  }
  return text;
}

void RunDisplay::begin(int64_t steps_done) {
  progress_.emplace("steps", static_cast<size_t>(steps_), static_cast<size_t>(steps_done));
}

void RunDisplay::show(const StepReport& report) {
  progress_->show(static_cast<size_t>(report.step),
                  describe_losses(report.candidates, 3) + describe_spending(report) + ", " +
                      describe_flops(report) + ", " + describe_rows(report));
  for (const CandidateStep& step : report.candidates) {
    const bool is_alone = report.candidates.size() == 1;
    for (const std::string& warning : step.warnings) {
      progress_->end();
      write_warning((is_alone ? "" : "candidate " + std::to_string(step.candidate + 1) + ": ") +
                    warning);
    }
  }
  if (first_step_ == 0) first_step_ = report.step;
  total_.step = report.step;
  total_.seconds += report.seconds;
  total_.rows_computed += report.rows_computed;
  total_.rows_unshared += report.rows_unshared;
  total_.rows_padded += report.rows_padded;
  total_.flops += report.flops;
  total_.peak_flops_per_second = report.peak_flops_per_second;
}

void RunDisplay::show(const ValidationReport& report) {
  progress_->end();
  const bool is_best = report.candidates.size() == 1 && report.candidates[0].is_best;
  write_message("step " + std::to_string(report.step) + ": validation " +
                describe_losses(report.candidates, 4) + (is_best ? ", the best so far" : ""));
  if (report.step == 0) begin(0);  // the time left is told by steps alone
}

void RunDisplay::end() {
  progress_->end();
}

void RunDisplay::write_costs() const {
  if (first_step_ == 0) return;
  const std::string first = std::to_string(first_step_);
  const std::string last = std::to_string(total_.step);
  write_result((first == last ? "step " + first : "steps " + first + " to " + last) + "  " +
               rounded(total_.seconds, 2) + " s, " + describe_flops(total_));
  write_result("         " + describe_rows(total_) + ", on " + device_);
}

void write_losses(const RunState& state) {
  const CandidateState& best = state.candidates[best_candidate(state)];
  if (!best.best_loss) return;
  if (state.loss_without_prompt) {
    write_result("validation loss without a soft prompt  " +
                 rounded(*state.loss_without_prompt, 4));
  }
  if (best.loss_at_start) {
    write_result("                at its start           " + rounded(*best.loss_at_start, 4));
  }
  const std::string steps = "after " + counted(best.best_step, "step");
  write_result("                " + steps +
               std::string(23 - std::min<size_t>(steps.size(), 22), ' ') +
               rounded(*best.best_loss, 4));
}

}  // namespace prescript
