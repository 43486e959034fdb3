#include "train/run_log.h"

#include <chrono>

#include <sys/resource.h>

namespace prescript {
namespace {

double wall_time_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

int64_t peak_rss_bytes() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} << 10;
}

}  // namespace

RunLog::RunLog(const std::string& metrics_path,
               uint64_t metrics_bytes,
               const std::string& events_path,
               uint64_t events_bytes)
    : metrics_(metrics_path, metrics_bytes), events_(events_path, events_bytes, wall_time_s()) {}

void RunLog::add(const StepReport& report) {
  metrics_.append(MetricsLine()
                      .add("step", report.step)
                      .add("loss", report.loss)
                      .add("grad_norm", report.gradient_norm)
                      .add("learning_rate", report.learning_rate)
                      .add("seconds", report.seconds)
                      .add("rows_computed", report.rows_computed)
                      .add("rows_unshared", report.rows_unshared)
                      .add("rows_padded", report.rows_padded)
                      .add("flops", report.flops)
                      .add("flops_per_second", report.flops_per_second())
                      .add("share_of_peak", report.share_of_peak())
                      .add("peak_rss_bytes", peak_rss_bytes()));
  const double now = wall_time_s();
  events_.add_scalar("loss", report.step, static_cast<float>(report.loss), now);
  events_.add_scalar("grad_norm", report.step, static_cast<float>(report.gradient_norm), now);
  events_.add_scalar("learning_rate", report.step, static_cast<float>(report.learning_rate), now);
}

void RunLog::add(const ValidationReport& report) {
  metrics_.append(MetricsLine().add("step", report.step).add("validation_loss", report.loss));
  events_.add_scalar(
      "validation_loss", report.step, static_cast<float>(report.loss), wall_time_s());
}

void RunLog::sync() {
  metrics_.sync();
  events_.sync();
}

}  // namespace prescript
