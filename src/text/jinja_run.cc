#include "text/jinja_run.h"

#include "base/error.h"

namespace prescript::jinja {

void fail_at(const std::string& place, size_t line, const std::string& message) {
  throw InputError(ExitCode::kModel,
                   place + ":" + std::to_string(line) + ": " + message +
                       "; use another chat template, or format: plain");
}

void Run::spend(size_t steps) {
  if (steps > steps_left_) fail("the chat template takes more than 1000000 steps");
  steps_left_ -= steps;
}

void Run::check_bytes(size_t bytes) const {
  if (bytes > max_bytes_) {
    fail("the chat template makes a text of more than " + std::to_string(max_bytes_) + " bytes");
  }
}

}  // namespace prescript::jinja
