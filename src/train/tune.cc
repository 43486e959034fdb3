#include "train/tune.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "train/accountant.h"
#include "train/adafactor.h"
#include "train/adamw.h"
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
      : prompted_(decoder,
                  options.privacy ? kExemplarsSideBySide : std::ssize(state.candidates),
                  state.candidates.at(0).prompt.num_virtual_tokens,
                  step_options),
        data_(data),
        validation_(pointers_to(data.validation)),
        options_(options),
        watch_options_({.vocabulary_norm = options.vocabulary_norm,
                        .rate_step = std::max<int64_t>(1, options.schedule.warmup_steps),
                        .num_steps = options.schedule.steps,
                        .window = loss_window(std::ssize(data.train), options.batch_size)}),
        peak_(options.peak_flops_per_second),
        directory_(directory),
        identity_(identity),
        state_(state),
        observer_(observer),
        log_(state.candidates.size(),
             directory.metrics_path(),
             state.metrics_bytes,
             directory.events_path(),
             state.events_bytes) {
    PRESCRIPT_CHECK(options.candidates.size() == state.candidates.size(), "candidates of a run");
    if (!options.privacy) return;
    PRESCRIPT_CHECK(options.candidates.size() == 1, "privacy is of one candidate");
    accountant_.emplace(
        SampledGaussian{.noise_multiplier = options.privacy->noise_multiplier,
                        .sample_rate = sample_rate(data.train.size(), options.batch_size)});
  }

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
  /// Which candidates still learn.
  std::vector<size_t> active() const {
    std::vector<size_t> indices;
    for (size_t c = 0; c < state_.candidates.size(); ++c) {
      if (is_active(state_.candidates[c], options_)) indices.push_back(c);
    }
    return indices;
  }

  void take_step(int64_t step) {
    const std::vector<size_t> active = this->active();
    const auto begin = std::chrono::steady_clock::now();
    StepReport report{.step = step};
    StepResult result = options_.privacy ? private_step(step, report) : plain_step(step, active);
    drop_what_failed(step, active, result);
    report.rows_computed = result.rows_computed;
    report.rows_unshared = result.rows_unshared;
    report.rows_padded = result.rows_padded;
    report.flops = result.flops;
    report.phases = result.phases;
    for (size_t i = 0; i < active.size(); ++i) {
      report.candidates.push_back(update(active[i], step, result.prompts[i]));
    }
    state_.step = step;
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    report.set_peak(peak_);
    peak_ = report.peak_flops_per_second;
    log_.add(report);
    if (observer_.on_step) observer_.on_step(report);
  }

  /// All candidates that still learn, in one forest.
  StepResult plain_step(int64_t step, const std::vector<size_t>& active) {
    std::vector<PromptedBatch> batches;
    for (const size_t c : active) {
      batches.push_back(
          {exemplars_of_step(data_.train, options_.batch_size, options_.candidates[c].seed, step),
           state_.candidates[c].prompt.values_PD});
    }
    return prompted_.differentiate(batches);
  }

  /// The only candidate, exemplar by exemplar.
  StepResult private_step(int64_t step, StepReport& report) {
    std::vector<const TrainingExemplar*> drawn;
    const double rate = sample_rate(data_.train.size(), options_.batch_size);
    for (const size_t i : draw_exemplars(data_.train.size(), rate, options_.privacy->key, step)) {
      drawn.push_back(&data_.train[i]);
    }
    PrivateStep found = differentiate_privately(prompted_,
                                                drawn,
                                                state_.candidates[0].prompt.values_PD,
                                                *options_.privacy,
                                                options_.batch_size,
                                                step);
    report.privacy = PrivacyReport{.num_exemplars = std::ssize(drawn),
                                   .num_clipped = found.num_clipped,
                                   .epsilon = accountant_->epsilon(step, options_.privacy->delta)};
    return std::move(found.result);
  }

  /// Clips the gradient of a candidate, moves its soft prompt, and looks what became of it.
  CandidateStep update(size_t candidate, int64_t step, PromptResult& result) {
    CandidateState& state = state_.candidates[candidate];
    const CandidateOptions& options = options_.candidates[candidate];
    const double norm = norm_of(result.gradient);
    const double learning_rate = learning_rate_at(options_.schedule, options.learning_rate, step);
    CandidateStep report{candidate, result.loss, norm, learning_rate};
    if (state.failed_step) return report;
    clip_to_norm(result.gradient, norm, options_.clip_norm);
    const double rows = std::sqrt(static_cast<double>(state.prompt.num_virtual_tokens));
    const double norm_before = norm_of(state.prompt.values_PD) / rows;
    const double change = move(state, learning_rate, options.weight_decay, result.gradient) / rows;
    const bool is_validated = state.best_loss && state.loss_at_start;
    if (std::isnan(result.loss)) return report;  // no exemplar was drawn
    report.warnings =
        watch(watch_options_,
              {.step = step,
               .loss = result.loss,
               .learning_rate = learning_rate,
               .norm = norm_before,
               .change = change,
               .validation_fall = is_validated ? 1 - *state.best_loss / *state.loss_at_start : 0},
              state.watch);
    return report;
  }

  /// Returns the norm of the change.
  double move(CandidateState& state,
              double learning_rate,
              double weight_decay,
              std::span<const float> gradient_PD) const {
    SoftPrompt& prompt = state.prompt;
    if (options_.optimizer == OptimizerKind::kAdafactor) {
      return adafactor_step({.weight_decay = weight_decay},
                            learning_rate,
                            prompt.hidden_size,
                            gradient_PD,
                            prompt.values_PD,
                            state.optimizer);
    }
    return adamw_step({.weight_decay = weight_decay},
                      learning_rate,
                      gradient_PD,
                      prompt.values_PD,
                      state.optimizer);
  }

  /// Validates the state of the last finished step, where that is due.
  void evaluate() {
    const int64_t step = state_.step;
    const bool is_due = step % options_.evaluate_every == 0 || step == options_.schedule.steps;
    const std::vector<size_t> active = this->active();
    if (!validation_.empty() && !active.empty() && is_due) {
      if (step == 0 && !state_.loss_without_prompt) {
        const std::span<const float> none;
        const PromptResult base = prompted_.score(validation_, std::span(&none, 1)).prompts[0];
        if (!base.not_finite.empty()) fail(step, base.not_finite);
        state_.loss_without_prompt = base.loss;
      }
      std::vector<std::span<const float>> prompts_PD;
      for (const size_t c : active) prompts_PD.push_back(state_.candidates[c].prompt.values_PD);
      const StepResult result = prompted_.score(validation_, prompts_PD);
      drop_what_failed(step, active, result);
      ValidationReport report{.step = step};
      for (size_t i = 0; i < active.size(); ++i) {
        report.candidates.push_back(keep_if_best(active[i], result.prompts[i].loss));
      }
      log_.add(report);
      if (observer_.on_validation) observer_.on_validation(report);
    }
    state_.evaluated_step = step;
  }

  CandidateValidation keep_if_best(size_t candidate, double loss) {
    CandidateState& s = state_.candidates[candidate];
    CandidateValidation validation{.candidate = candidate, .loss = loss};
    if (s.failed_step) return validation;
    if (state_.step == 0) s.loss_at_start = loss;
    const bool better_than_start = !s.loss_at_start || loss < *s.loss_at_start;
    s.last_loss = loss;
    if (state_.step > 0 && (!s.best_loss || loss < *s.best_loss)) {
      validation.is_best = true;
      s.best_loss = loss;
      s.best_step = state_.step;
      s.best_prompt_PD = s.prompt.values_PD;
    }
    const bool progress = state_.step == 0 || (validation.is_best && better_than_start);
    s.evaluations_since_best = progress ? 0 : s.evaluations_since_best + 1;
    return validation;
  }

  /// Takes candidates whose numbers are not finite out of the run, as long as others are left.
  /// `scored` are those that `result` is about.
  void drop_what_failed(int64_t step, const std::vector<size_t>& scored, const StepResult& result) {
    std::vector<size_t> failed;
    for (size_t i = 0; i < scored.size(); ++i) {
      if (!result.prompts[i].not_finite.empty()) failed.push_back(i);
    }
    if (failed.empty()) return;
    const auto has_failed = [](const CandidateState& candidate) {
      return candidate.failed_step.has_value();
    };
    const auto num_failed = std::ranges::count_if(state_.candidates, has_failed);
    const std::string& what = result.prompts[failed[0]].not_finite;
    if (state_.candidates.size() == 1) fail(step, what);
    if (num_failed + std::ssize(failed) == std::ssize(state_.candidates)) {
      fail(step,
           "no candidate is left; of number " + std::to_string(scored[failed[0]] + 1) + " " + what);
    }
    for (const size_t i : failed) {
      state_.candidates[scored[i]].failed_step = step;
      if (observer_.on_failure) observer_.on_failure(scored[i], result.prompts[i].not_finite);
    }
  }

  /// Ends the run with what was finished before.
  [[noreturn]] void fail(int64_t step, const std::string& what) {
    save();
    const std::string lower =
        state_.candidates.size() == 1 ? "a lower optimizer.learning_rate" : "lower learning rates";
    throw InputError(ExitCode::kNotFinite,
                     "step " + std::to_string(step) + ": " + what +
                         "; the step was not applied. Start again (--overwrite, or another output) "
                         "with " +
                         lower + ", a smaller optimizer.clip_norm, or dtype: fp32");
  }

  PromptedDecoder prompted_;
  const TrainingData& data_;
  std::vector<const TrainingExemplar*> validation_;
  const TuneOptions& options_;
  const WatchOptions watch_options_;
  double peak_;  // FLOP/s: as measured, or of the best step so far
  RunDirectory& directory_;
  const RunIdentity& identity_;
  RunState& state_;
  const TuneObserver& observer_;
  RunLog log_;
  std::optional<Accountant> accountant_;  // under privacy
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

bool is_active(const CandidateState& candidate, const TuneOptions& options) {
  if (candidate.failed_step) return false;
  return !options.patience || candidate.evaluations_since_best < *options.patience;
}

bool is_finished(const RunState& state, const TuneOptions& options) {
  if (state.evaluated_step < state.step) return false;
  if (state.step >= options.schedule.steps) return true;
  return std::ranges::none_of(state.candidates, [&](const CandidateState& candidate) {
    return is_active(candidate, options);
  });
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
  } catch (const OutOfMemory&) {
    tuner.save();
    throw;
  }
}

}  // namespace prescript
