#include "train/run_state.h"

#include <cstring>

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

json state_json(const Checkpoint& checkpoint) {
  const RunState& state = checkpoint.state;
  return {{"format", kFormat},
          {"identity", checkpoint.identity},
          {"step", state.step},
          {"evaluated_step", state.evaluated_step},
          {"optimizer_steps", state.optimizer.num_steps},
          {"loss_without_prompt", optional_number(state.loss_without_prompt)},
          {"loss_at_start", optional_number(state.loss_at_start)},
          {"last_loss", optional_number(state.last_loss)},
          {"best_loss", optional_number(state.best_loss)},
          {"best_step", state.best_step},
          {"evaluations_since_best", state.evaluations_since_best},
          {"metrics_bytes", state.metrics_bytes},
          {"events_bytes", state.events_bytes}};
}

std::optional<double> number_at(const JsonCursor& object, const char* key) {
  const auto value = object.find(key);
  return value ? std::optional(value->number()) : std::nullopt;
}

/// The values of a tensor; none where it is absent.
std::vector<float> values_of(const SafetensorsFile& file, const char* name) {
  const SafetensorsTensor* tensor = file.find(name);
  if (tensor == nullptr) return {};
  if (tensor->dtype != "F32") refuse(file.path(), std::string(name) + " is not F32");
  std::vector<float> values(tensor->bytes.size() / sizeof(float));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
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
  state.loss_at_start = number_at(cursor, "loss_at_start");
  state.last_loss = number_at(cursor, "last_loss");
  state.best_loss = number_at(cursor, "best_loss");
  state.best_step = count("best_step");
  state.evaluations_since_best = count("evaluations_since_best");
  state.metrics_bytes = static_cast<uint64_t>(count("metrics_bytes"));
  state.events_bytes = static_cast<uint64_t>(count("events_bytes"));
  state.optimizer.num_steps = count("optimizer_steps");

  const SafetensorsTensor* prompt = file.find("prompt");
  if (prompt == nullptr || prompt->shape.size() != 2) refuse(file.path(), "no soft prompt in it");
  state.prompt = {prompt->shape[0], prompt->shape[1], values_of(file, "prompt")};
  state.optimizer.first_moment = values_of(file, "first_moment");
  state.optimizer.second_moment = values_of(file, "second_moment");
  state.best_prompt_PD = values_of(file, "best_prompt");
  return checkpoint;
}

}  // namespace

std::string checkpoint_bytes(const Checkpoint& checkpoint) {
  const RunState& state = checkpoint.state;
  const std::vector<int64_t> shape = {state.prompt.num_virtual_tokens, state.prompt.hidden_size};
  std::vector<SafetensorsTensor> tensors;
  const auto add = [&](const char* name, const std::vector<float>& values) {
    if (!values.empty()) tensors.push_back({name, "F32", shape, std::as_bytes(std::span(values))});
  };
  add("prompt", state.prompt.values_PD);
  add("first_moment", state.optimizer.first_moment);
  add("second_moment", state.optimizer.second_moment);
  add("best_prompt", state.best_prompt_PD);
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
