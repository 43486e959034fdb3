#include "cli/run_display.h"

#include <algorithm>
#include <array>
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
  return with_prefix(report.flops) + "FLOP, " + with_prefix(report.flops_per_second()) +
         "FLOP/s, " + rounded(100 * report.share_of_peak(), 0) + " % of the measured peak";
}

void RunDisplay::begin(int64_t steps_done) {
  progress_.emplace("steps", static_cast<size_t>(steps_), static_cast<size_t>(steps_done));
}

void RunDisplay::show(const StepReport& report) {
  progress_->show(static_cast<size_t>(report.step),
                  "loss " + rounded(report.loss, 3) + ", " + describe_flops(report) + ", " +
                      describe_rows(report));
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
  write_message("step " + std::to_string(report.step) + ": validation loss " +
                rounded(report.loss, 4) + (report.is_best ? ", the best so far" : ""));
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
  write_result("         " + describe_rows(total_));
}

void write_losses(const RunState& state) {
  if (!state.best_loss) return;
  if (state.loss_without_prompt) {
    write_result("validation loss without a soft prompt  " +
                 rounded(*state.loss_without_prompt, 4));
  }
  if (state.loss_at_start) {
    write_result("                at its start           " + rounded(*state.loss_at_start, 4));
  }
  const std::string steps = "after " + counted(state.best_step, "step");
  write_result("                " + steps +
               std::string(23 - std::min<size_t>(steps.size(), 22), ' ') +
               rounded(*state.best_loss, 4));
}

}  // namespace prescript
