// A model in several GGUF files, as llama.cpp's gguf-split and gguf's Python package write it:
// NAME-00001-of-00003.gguf and so on. The first holds the model's metadata, each its own tensors.

#include <cinttypes>
#include <cstdio>

#include "base/counted.h"
#include "base/file_error.h"
#include "io/gguf.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr int64_t kMaxShards = 99999;  // five digits
constexpr const char* kNumber = "split.no";
constexpr const char* kCount = "split.count";
constexpr const char* kTensorCount = "split.tensors.count";

std::string ending(int64_t number, int64_t count) {
  char text[64];
  std::snprintf(text, sizeof text, "-%05" PRId64 "-of-%05" PRId64 ".gguf", number + 1, count);
  return text;
}

}  // namespace

void GgufFile::add_shards() {
  const int64_t count = find_integer(kCount, 0, kMaxShards).value_or(1);
  if (count <= 1) return;
  const int64_t number = integer(kNumber, 0, count - 1);
  const std::string own_ending = ending(number, count);
  const std::string what = "shard " + std::to_string(number + 1) + " of " + std::to_string(count);
  if (!path().ends_with(own_ending)) {
    fail(kNumber,
         "this is " + what + " of a model, but the file is not called NAME" + own_ending +
             "; give all shards their names back");
  }
  const std::string name = path().substr(0, path().size() - own_ending.size());
  if (number != 0)
    fail(kNumber, "this is " + what + " of a model; name the first, " + name + ending(0, count));
  for (int64_t i = 1; i < count; ++i) add_shard(name + ending(i, count), i);
  const int64_t num_tensors = integer(kTensorCount, 0, INT64_MAX);
  if (num_tensors != std::ssize(tensors_)) {
    fail(kTensorCount,
         counted(num_tensors, "tensor") + " are in the model, but its shards hold " +
             std::to_string(tensors_.size()) + "; get all " + std::to_string(count) +
             " shards again");
  }
}

void GgufFile::add_shard(const std::string& path, int64_t number) {
  const auto refuse = [&](const std::string& message) {
    throw InputError(ExitCode::kModel, path + ": " + message);
  };
  if (!is_there(path, ExitCode::kModel))
    refuse("this shard of the model is missing; put all of them beside " + this->path());
  const auto shard = std::make_shared<const GgufFile>(MappedFile::open(path));
  for (const char* key : {kNumber, kCount, kTensorCount}) {
    const int64_t expected = key == kNumber ? number : integer(key, 0, INT64_MAX);
    const int64_t found = shard->integer(key, 0, INT64_MAX);
    if (found == expected) continue;
    refuse(std::string(key) + " is " + std::to_string(found) + ", not " + std::to_string(expected) +
           ": no shard of the model of " + this->path() + "; get all shards from one place");
  }
  for (const GgufTensor& tensor : shard->tensors_) {
    if (!tensor_index_.try_emplace(tensor.name, tensors_.size()).second) {
      refuse("the tensor " + quote(tensor.name) +
             " is in an earlier shard too; get all shards from one place");
    }
    tensors_.push_back(tensor);
  }
  shards_.push_back(shard);
}

std::vector<std::string> GgufFile::paths() const {
  std::vector<std::string> paths = {path()};
  for (const auto& shard : shards_) paths.push_back(shard->path());
  return paths;
}

}  // namespace prescript
