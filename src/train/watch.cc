#include "train/watch.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <sstream>

#include "base/counted.h"
#include "train/learning_rate.h"

namespace prescript {
namespace {

// Fewer steps are too noisy; so many are not, even where they are far from all exemplars.
constexpr int64_t kFewestSteps = 20;
constexpr int64_t kMostSteps = 100;

// The fifth window is compared with the first: at least a hundred steps. Med-PaLM's whole run has
// two hundred, and recipes/multiple_choice.yaml has learned all it will within thirty.
constexpr int64_t kWindows = 5;

// A window holds whole epochs or hundreds of exemplars: its mean is known better than to 1 %. Runs
// that learn fall by a tenth and more in as many steps.
constexpr double kLeastFall = 0.01;

// Rows of the vocabulary or of a text begin at 1, Med-PaLM's U(-0.5, 0.5) at 2 for SmolLM2; forty
// steps of recipes/demo.yaml bring the former to 1.7, a hundred of docs/TUNING.md to 2.2. The
// decoder normalises its rows, so that of a larger one a step turns little, and of a smaller one
// too much.
constexpr double kLargestNorm = 10;

// Of published settings a step at the highest rate moves the soft prompt by a hundredth to a tenth
// of its norm (AdamW at 0.001 to 0.01 on rows whose numbers are around 0.1), one at the default by
// a fifth. By more than 1 nothing is left of where it stood; by less than this over the whole run,
// it never leaves there.
constexpr double kLargestChange = 1;
constexpr double kLeastChangeOfARun = 0.01;
constexpr int64_t kLeastStepsOfARun = 20;  // shorter runs are trials

std::string digits(double value, int count) {
  std::ostringstream text;
  text.precision(count);
  text << value;
  return text.str();
}

std::optional<std::string> judge_norm(const WatchOptions& options, const WatchedStep& step) {
  const double factor = step.norm / options.vocabulary_norm;
  if (factor <= kLargestNorm && factor >= 1 / kLargestNorm) return std::nullopt;
  return "step " + std::to_string(step.step) + ": rows of the soft prompt have " +
         digits(factor, 2) +
         " times the norm of the vocabulary's; begin with rows of its norm (soft_prompt.init: "
         "vocabulary, text, or uniform with scale: auto), or lower learning rate and weight decay";
}

std::optional<std::string> judge_rate(const WatchOptions& options, const WatchedStep& step) {
  // Of a soft prompt that begins at 0 any change is large.
  const double change = step.change / std::max(step.norm, options.vocabulary_norm);
  const auto num_steps = static_cast<double>(std::max(options.num_steps, kLeastStepsOfARun));
  if (change <= kLargestChange && change * num_steps >= kLeastChangeOfARun) return std::nullopt;
  std::string message = "learning rate " + digits(step.learning_rate, 3) + ": step " +
                        std::to_string(step.step) + " moved the soft prompt by " +
                        digits(change, 2) + " times its norm";
  if (change > 0) {
    message += "; " + digits(step.learning_rate * kFittingChange / change, 1) +
               " would move it by about " + digits(kFittingChange, 2);
  }
  return message;
}

/// Takes the loss in, and judges behind the last window.
std::optional<std::string> judge_loss(const WatchOptions& options,
                                      const WatchedStep& step,
                                      Watch& seen) {
  const int64_t num_steps = kWindows * options.window;
  if (seen.num_losses == num_steps) return std::nullopt;
  ++seen.num_losses;
  if (seen.num_losses <= options.window) seen.first_sum += step.loss;
  if (seen.num_losses > num_steps - options.window) seen.last_sum += step.loss;
  if (seen.num_losses < num_steps || step.validation_fall > kLeastFall) return std::nullopt;
  if (seen.last_sum < (1 - kLeastFall) * seen.first_sum) return std::nullopt;
  const auto mean = [&](double sum) {
    return digits(sum / static_cast<double>(options.window), 4);
  };
  return "the training loss has not fallen in " + counted(num_steps, "step") + ": " +
         mean(seen.first_sum) + " over the first " + std::to_string(options.window) + ", " +
         mean(seen.last_sum) +
         " over the last; try another learning rate, and look at what the model reads (prescript "
         "inspect RECIPE --example 0)";
}

}  // namespace

int64_t loss_window(int64_t num_exemplars, int64_t batch_size) {
  return std::clamp((num_exemplars + batch_size - 1) / batch_size, kFewestSteps, kMostSteps);
}

std::vector<std::string> watch(const WatchOptions& options, const WatchedStep& step, Watch& seen) {
  std::vector<std::string> warnings;
  const auto add = [&](const std::optional<std::string>& warning) {
    if (warning) warnings.push_back(*warning);
    return warning.has_value();
  };
  if (options.vocabulary_norm > 0) {
    if (!seen.has_warned_of_norm) seen.has_warned_of_norm = add(judge_norm(options, step));
    if (step.step == options.rate_step) add(judge_rate(options, step));
  }
  add(judge_loss(options, step, seen));
  return warnings;
}

}  // namespace prescript
