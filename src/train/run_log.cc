#include "train/run_log.h"

#include <chrono>
#include <fstream>
#include <string>

namespace prescript {
namespace {

double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Of this program: what getrusage tells begins with the process that started it.
int64_t peak_rss_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return int64_t{std::stoll(line.substr(6))} << 10;
  }
  return 0;
}

}  // namespace

RunLog::RunLog(size_t num_candidates,
               const std::string& metrics_path,
               uint64_t metrics_bytes,
               const std::string& events_path,
               uint64_t events_bytes)
    : num_candidates_(num_candidates),
      metrics_(metrics_path, metrics_bytes),
      events_(events_path, events_bytes, wall_time_s()) {}

MetricsLine RunLog::line_of(int64_t step, size_t candidate) const {
  MetricsLine line;
  line.add("step", step);
  if (num_candidates_ > 1) line.add("candidate", static_cast<int64_t>(candidate) + 1);
  return line;
}

void RunLog::add_scalar(
    const std::string& tag, int64_t step, size_t candidate, double value, double now) {
  const std::string suffix = num_candidates_ > 1 ? "/" + std::to_string(candidate + 1) : "";
  events_.add_scalar(tag + suffix, step, static_cast<float>(value), now);
}

void RunLog::add(const StepReport& report) {
  const double now = wall_time_s();
  MetricsLine line;  // of a single candidate it goes on with what the step took
  for (const CandidateStep& step : report.candidates) {
    line = line_of(report.step, step.candidate)
               .add("loss", step.loss)
               .add("grad_norm", step.gradient_norm)
               .add("learning_rate", step.learning_rate);
    if (num_candidates_ > 1) metrics_.append(line);
    add_scalar("loss", report.step, step.candidate, step.loss, now);
    add_scalar("grad_norm", report.step, step.candidate, step.gradient_norm, now);
    add_scalar("learning_rate", report.step, step.candidate, step.learning_rate, now);
  }
  if (num_candidates_ > 1) line = MetricsLine().add("step", report.step);
  if (report.privacy) {
    line.add("exemplars", report.privacy->num_exemplars)
        .add("clipped", report.privacy->num_clipped)
        .add("epsilon", report.privacy->epsilon);
    events_.add_scalar("epsilon", report.step, static_cast<float>(report.privacy->epsilon), now);
  }
  line.add("seconds", report.seconds);
  for (const Phase phase : {Phase::kForward, Phase::kHead, Phase::kBackward}) {
    line.add("seconds_" + std::string(name_of(phase)), report.phases[static_cast<size_t>(phase)]);
  }
  metrics_.append(line.add("rows_computed", report.rows_computed)
                      .add("rows_unshared", report.rows_unshared)
                      .add("rows_padded", report.rows_padded)
                      .add("flops", report.flops)
                      .add("flops_per_second", report.flops_per_second())
                      .add("share_of_peak", report.share_of_peak())
                      .add("peak_rss_bytes", peak_rss_bytes()));
  for (const CandidateStep& step : report.candidates) {
    for (const std::string& warning : step.warnings) {
      metrics_.append(line_of(report.step, step.candidate).add("warning", warning));
    }
  }
}

void RunLog::add(const ValidationReport& report) {
  for (const CandidateValidation& validation : report.candidates) {
    metrics_.append(
        line_of(report.step, validation.candidate).add("validation_loss", validation.loss));
    add_scalar(
        "validation_loss", report.step, validation.candidate, validation.loss, wall_time_s());
  }
}

void RunLog::sync() {
  metrics_.sync();
  events_.sync();
}

}  // namespace prescript
