#include "train/tune.h"

#include <chrono>

#include "train/batches.h"

namespace prescript {
namespace {

/// Thrown through the step in flight, which is abandoned.
struct Stopped {};

std::vector<const TrainingExemplar*> pointers_to(const std::vector<TrainingExemplar>& exemplars) {
  std::vector<const TrainingExemplar*> pointers;
  for (const TrainingExemplar& exemplar : exemplars) pointers.push_back(&exemplar);
  return pointers;
}

class Tuner {
 public:
  Tuner(Decoder& decoder,
        const StepOptions& step_options,
        const TrainingData& data,
        const TuneOptions& options,
        RunDirectory& directory,
        const RunIdentity& identity,
        RunState& state,
        const TuneObserver& observer)
      : prompted_(decoder, state.prompt.num_virtual_tokens, step_options),
        data_(data),
        validation_(pointers_to(data.validation)),
        options_(options),
        directory_(directory),
        identity_(identity),
        state_(state),
        observer_(observer),
        log_(directory.metrics_path(),
             state.metrics_bytes,
             directory.events_path(),
             state.events_bytes) {}

  void run() {
    while (true) {
      if (state_.evaluated_step < state_.step) evaluate();
      const bool finished = is_finished(state_, options_);
      const bool due = state_.step > 0 && state_.step % options_.checkpoint_every == 0;
      if ((due || finished) && saved_step_ != state_.step) save();
      if (finished) return;
      take_step(state_.step + 1);
    }
  }

  /// Makes the last finished step durable.
  void save() {
    log_.sync();
    state_.metrics_bytes = log_.metrics_bytes();
    state_.events_bytes = log_.events_bytes();
    directory_.save({state_, identity_});
    saved_step_ = state_.step;
  }

 private:
  /// Runs `work` with the step in front of what it may say about numbers that are not finite.
  template <typename Work>
  auto at_step(int64_t step, const Work& work) {
    try {
      return work();
    } catch (const InputError& error) {
      if (error.code() != ExitCode::kNotFinite) throw;
      save();
      throw InputError(ExitCode::kNotFinite,
                       "step " + std::to_string(step) + ": " + error.what() +
                           "; the step was not applied. Start again (--overwrite, or another "
                           "output) with a lower optimizer.learning_rate, a smaller "
                           "optimizer.clip_norm, or dtype: fp32");
    }
  }

  void take_step(int64_t step) {
    std::vector<const TrainingExemplar*> batch;
    for (const size_t index :
         batch_of_step(data_.train.size(), options_.batch_size, options_.seed, step)) {
      batch.push_back(&data_.train[index]);
    }
    const auto begin = std::chrono::steady_clock::now();
    StepResult result =
        at_step(step, [&] { return prompted_.differentiate(batch, state_.prompt.values_PD); });
    const double norm = norm_of(result.gradient);
    const double learning_rate = learning_rate_at(options_.schedule, step);
    clip_to_norm(result.gradient, norm, options_.clip_norm);
    adamw_step(
        options_.adamw, learning_rate, result.gradient, state_.prompt.values_PD, state_.optimizer);
    state_.step = step;
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;

    const StepReport report{.step = step,
                            .loss = result.loss,
                            .gradient_norm = norm,
                            .learning_rate = learning_rate,
                            .seconds = seconds.count(),
                            .rows_computed = result.rows_computed,
                            .rows_unshared = result.rows_unshared,
                            .rows_padded = result.rows_padded,
                            .flops = result.flops,
                            .peak_flops_per_second = options_.peak_flops_per_second};
    log_.add(report);
    if (observer_.on_step) observer_.on_step(report);
  }

  /// Validates the state of the last finished step, where that is due.
  void evaluate() {
    const int64_t step = state_.step;
    const bool is_due = step % options_.evaluate_every == 0 || step == options_.schedule.steps;
    if (!validation_.empty() && is_due) {
      if (step == 0 && !state_.loss_without_prompt) {
        state_.loss_without_prompt =
            at_step(step, [&] { return prompted_.score(validation_, {}).loss; });
      }
      keep_if_best(at_step(
          step, [&] { return prompted_.score(validation_, state_.prompt.values_PD).loss; }));
    }
    state_.evaluated_step = step;
  }

  void keep_if_best(double loss) {
    RunState& s = state_;
    ValidationReport report{.step = s.step, .loss = loss};
    if (s.step == 0) s.loss_at_start = loss;
    const bool better_than_start = !s.loss_at_start || loss < *s.loss_at_start;
    s.last_loss = loss;
    if (s.step > 0 && (!s.best_loss || loss < *s.best_loss)) {
      report.is_best = true;
      s.best_loss = loss;
      s.best_step = s.step;
      s.best_prompt_PD = s.prompt.values_PD;
    }
    const bool progress = s.step == 0 || (report.is_best && better_than_start);
    s.evaluations_since_best = progress ? 0 : s.evaluations_since_best + 1;
    log_.add(report);
    if (observer_.on_validation) observer_.on_validation(report);
  }

  PromptedDecoder prompted_;
  const TrainingData& data_;
  std::vector<const TrainingExemplar*> validation_;
  const TuneOptions& options_;
  RunDirectory& directory_;
  const RunIdentity& identity_;
  RunState& state_;
  const TuneObserver& observer_;
  RunLog log_;
  int64_t saved_step_ = -1;
};

/// Lets the decoder ask for the end of the work while it lives.
class InterruptCheck {
 public:
  InterruptCheck(Decoder& decoder, const std::function<bool()>& stop_requested)
      : decoder_(decoder) {
    if (!stop_requested) return;
    decoder_.set_interrupt_check([&stop_requested] {
      if (stop_requested()) throw Stopped{};
    });
  }
  ~InterruptCheck() { decoder_.set_interrupt_check({}); }
  InterruptCheck(const InterruptCheck&) = delete;
  InterruptCheck& operator=(const InterruptCheck&) = delete;

 private:
  Decoder& decoder_;
};

}  // namespace

bool is_finished(const RunState& state, const TuneOptions& options) {
  if (state.evaluated_step < state.step) return false;
  if (state.step >= options.schedule.steps) return true;
  return options.patience && state.evaluations_since_best >= *options.patience;
}

TuneEnd tune(Decoder& decoder,
             const StepOptions& step_options,
             const TrainingData& data,
             const TuneOptions& options,
             RunDirectory& directory,
             const RunIdentity& identity,
             RunState& state,
             const TuneObserver& observer) {
  const InterruptCheck check(decoder, observer.stop_requested);
  Tuner tuner(decoder, step_options, data, options, directory, identity, state, observer);
  try {
    tuner.run();
    return TuneEnd::kFinished;
  } catch (const Stopped&) {
    tuner.save();
    return TuneEnd::kStopped;
  }
}

}  // namespace prescript
