#include "train/run_state.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include <nlohmann/json.hpp>

#include "base/durable_file.h"
#include "base/seal.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "prescript checkpoint 1";  // part of the on-disk format
constexpr uint64_t kMaxBytes = uint64_t{1} << 32;

[[noreturn]] void refuse(const std::string& path, const std::string& message) {
  throw InputError(ExitCode::kUsage, path + ": " + message);
}

json optional_number(const std::optional<double>& value) {
  return value ? json(*value) : json(nullptr);
}

json candidate_json(const CandidateState& candidate) {
  json result = {{"optimizer_steps", candidate.optimizer.num_steps},
                 {"loss_at_start", optional_number(candidate.loss_at_start)},
                 {"last_loss", optional_number(candidate.last_loss)},
                 {"best_loss", optional_number(candidate.best_loss)},
                 {"best_step", candidate.best_step},
                 {"evaluations_since_best", candidate.evaluations_since_best}};
  if (candidate.failed_step) result["failed_step"] = *candidate.failed_step;
  const Watch& watch = candidate.watch;
  result["watch"] = {{"num_losses", watch.num_losses},
                     {"first_sum", watch.first_sum},
                     {"last_sum", watch.last_sum},
                     {"has_warned_of_norm", watch.has_warned_of_norm}};
  return result;
}

json state_json(const Checkpoint& checkpoint) {
  const RunState& state = checkpoint.state;
  json result = {{"format", kFormat},
                 {"identity", checkpoint.identity},
                 {"step", state.step},
                 {"evaluated_step", state.evaluated_step},
                 {"loss_without_prompt", optional_number(state.loss_without_prompt)},
                 {"metrics_bytes", state.metrics_bytes},
                 {"events_bytes", state.events_bytes}};
  if (state.candidates.size() == 1) {
    result.update(candidate_json(state.candidates[0]));
  } else {
    for (const CandidateState& candidate : state.candidates) {
      result["candidates"].push_back(candidate_json(candidate));
    }
  }
  return result;
}

/// What stands behind the names of a candidate's tensors: nothing where it is the only one.
std::string suffix(size_t index, size_t num_candidates) {
  return num_candidates == 1 ? "" : "." + std::to_string(index + 1);
}

std::optional<double> number_at(const JsonCursor& object, const char* key) {
  const auto value = object.find(key);
  return value ? std::optional(value->number()) : std::nullopt;
}

/// Nothing seen where there is none, as in the checkpoints of earlier versions.
Watch parse_watch(const JsonCursor& candidate) {
  const auto watch = candidate.find("watch");
  if (!watch) return {};
  return {.num_losses = watch->at("num_losses").integer(0),
          .first_sum = watch->at("first_sum").number(),
          .last_sum = watch->at("last_sum").number(),
          .has_warned_of_norm = watch->at("has_warned_of_norm").boolean()};
}

/// The values of a tensor; none where it is absent.
std::vector<float> values_of(const SafetensorsFile& file, const std::string& name) {
  const SafetensorsTensor* tensor = file.find(name);
  if (tensor == nullptr) return {};
  if (tensor->dtype != "F32") refuse(file.path(), name + " is not F32");
  std::vector<float> values(tensor->bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

CandidateState parse_candidate(const JsonCursor& cursor,
                               const SafetensorsFile& file,
                               const std::string& suffix) {
  const auto count = [&](const char* key) { return cursor.at(key).integer(0); };
  CandidateState candidate;
  candidate.loss_at_start = number_at(cursor, "loss_at_start");
  candidate.last_loss = number_at(cursor, "last_loss");
  candidate.best_loss = number_at(cursor, "best_loss");
  candidate.best_step = count("best_step");
  candidate.evaluations_since_best = count("evaluations_since_best");
  if (cursor.find("failed_step")) candidate.failed_step = count("failed_step");
  candidate.optimizer.num_steps = count("optimizer_steps");
  candidate.watch = parse_watch(cursor);

  const SafetensorsTensor* prompt = file.find("prompt" + suffix);
  if (prompt == nullptr || prompt->shape.size() != 2) refuse(file.path(), "no soft prompt in it");
  candidate.prompt = {prompt->shape[0], prompt->shape[1], values_of(file, "prompt" + suffix)};
  candidate.optimizer.first_moment = values_of(file, "first_moment" + suffix);
  candidate.optimizer.second_moment = values_of(file, "second_moment" + suffix);
  candidate.optimizer.row_moment = values_of(file, "row_moment" + suffix);
  candidate.optimizer.column_moment = values_of(file, "column_moment" + suffix);
  candidate.best_prompt_PD = values_of(file, "best_prompt" + suffix);
  return candidate;
}

Checkpoint parse(const SafetensorsFile& file) {
  const auto metadata = file.metadata().find("state");
  if (metadata == file.metadata().end()) refuse(file.path(), "not a checkpoint of prescript");
  const json document = parse_json(metadata->second, file.path(), ExitCode::kUsage);
  const JsonCursor cursor(document, file.path(), ExitCode::kUsage);
  if (cursor.at("format").string() != kFormat) {
    refuse(file.path(),
           "a checkpoint of another version of prescript (" + cursor.at("format").string() +
               "); resume with that version, or start again with --overwrite");
  }
  const auto count = [&](const char* key) { return cursor.at(key).integer(0); };

  Checkpoint checkpoint;
  const JsonCursor identity = cursor.at("identity");
  for (const std::string& key : identity.keys()) {
    checkpoint.identity[key] = identity.at(key).string();
  }
  RunState& state = checkpoint.state;
  state.step = count("step");
  state.evaluated_step = cursor.at("evaluated_step").integer(-1);
  state.loss_without_prompt = number_at(cursor, "loss_without_prompt");
  state.metrics_bytes = static_cast<uint64_t>(count("metrics_bytes"));
  state.events_bytes = static_cast<uint64_t>(count("events_bytes"));
  const auto several = cursor.find("candidates");
  const size_t num_candidates = several ? several->size() : 1;
  if (num_candidates == 0) refuse(file.path(), "no soft prompt in it");
  for (size_t i = 0; i < num_candidates; ++i) {
    state.candidates.push_back(
        parse_candidate(several ? several->item(i) : cursor, file, suffix(i, num_candidates)));
  }
  return checkpoint;
}

}  // namespace

size_t best_candidate(const RunState& state) {
  // Without validation nothing is below anything.
  const auto key = [](const CandidateState& candidate) {
    constexpr double kNone = std::numeric_limits<double>::infinity();
    return candidate.failed_step ? kNone : candidate.best_loss.value_or(kNone);
  };
  const auto best = std::ranges::min_element(state.candidates, {}, key);
  return static_cast<size_t>(best - state.candidates.begin());
}

std::string checkpoint_bytes(const Checkpoint& checkpoint) {
  const std::vector<CandidateState>& candidates = checkpoint.state.candidates;
  std::vector<SafetensorsTensor> tensors;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const CandidateState& c = candidates[i];
    const int64_t P = c.prompt.num_virtual_tokens;
    const int64_t D = c.prompt.hidden_size;
    const auto add = [&](const char* name,
                         const std::vector<int64_t>& shape,
                         const std::vector<float>& values) {
      if (values.empty()) return;
      tensors.push_back(
          {name + suffix(i, candidates.size()), "F32", shape, std::as_bytes(std::span(values))});
    };
    add("prompt", {P, D}, c.prompt.values_PD);
    add("first_moment", {P, D}, c.optimizer.first_moment);
    add("second_moment", {P, D}, c.optimizer.second_moment);
    add("row_moment", {P}, c.optimizer.row_moment);
    add("column_moment", {D}, c.optimizer.column_moment);
    add("best_prompt", {P, D}, c.best_prompt_PD);
  }
  return sealed(safetensors_file_bytes(
      std::move(tensors),
      {{"digest", std::string(kNoDigest)}, {"state", state_json(checkpoint).dump()}}));
}

Checkpoint read_checkpoint(const std::string& path) {
  if (!seal_is_intact(read_file(path, kMaxBytes, ExitCode::kUsage))) {
    refuse(path, "not a checkpoint of prescript, or damaged: its bytes do not fit its hash");
  }
  return parse(*SafetensorsFile::open(path, ExitCode::kUsage));
}

}  // namespace prescript
