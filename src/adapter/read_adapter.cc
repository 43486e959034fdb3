#include <algorithm>
#include <filesystem>
#include <system_error>

#include "adapter/adapter_files.h"
#include "adapter/peft_config.h"
#include "adapter/prescript_json.h"
#include "adapter/prompt_tensor.h"
#include "base/error.h"
#include "base/file_error.h"
#include "base/hash.h"
#include "io/mapped_file.h"
#include "io/quote.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

using File = std::shared_ptr<const MappedFile>;

constexpr size_t kMaxFileBytes = size_t{1} << 30;

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kModel, place + ": " + message);
}

bool is_there(const std::string& path) {
  return prescript::is_there(path, ExitCode::kModel);
}

File open_file(const std::string& dir, const std::string& name) {
  File file = MappedFile::open(dir + "/" + name, ExitCode::kModel);
  if (file->bytes().size() > kMaxFileBytes)
    fail(file->path(),
         std::to_string(file->bytes().size()) + " bytes; a file of an adapter has at most " +
             std::to_string(kMaxFileBytes));
  return file;
}

std::string_view text_of(const File& file) {
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

/// A file of tensors that runs code when it is read.
std::optional<std::string> find_pickle(const std::string& dir) {
  std::error_code ignored;
  std::optional<std::string> found;
  for (const auto& entry : fs::directory_iterator(dir, ignored)) {
    const std::string name = entry.path().filename().string();
    const bool is_pickle = std::ranges::any_of(
        std::initializer_list<std::string_view>{".bin", ".pt", ".pth", ".ckpt", ".pkl"},
        [&](std::string_view ending) { return name.ends_with(ending); });
    // The first by name: the order of a directory is anybody's.
    if (is_pickle && (!found || name < *found)) found = name;
  }
  return found;
}

[[noreturn]] void refuse_without_tensors(const std::string& dir) {
  const auto pickle = find_pickle(dir);
  if (!pickle) fail(dir, std::string(kPeftTensors) + " is missing; get the adapter again");
  // The name in the command is PEFT's: one that a stranger chose must not get into a shell.
  fail(dir,
       "its tensors are pickled (" + quote(*pickle) +
           "), and unpickling runs code from the file, so prescript never does; where you trust "
           "it, convert it: python -c \"import torch, safetensors.torch as s; s.save_file("
           "torch.load('adapter_model.bin', weights_only=True), 'adapter_model.safetensors')\"");
}

[[noreturn]] void refuse_directory(const std::string& dir) {
  const auto pickle = find_pickle(dir);
  fail(dir,
       std::string("not an adapter: neither ") + kPrescriptJson + " nor " + kPeftConfig +
           " is there" +
           (pickle ? "; a pickled file (" + quote(*pickle) + ") is never read: convert it with PEFT"
                   : ""));
}

/// The files that prescript.json names, unchanged.
std::map<std::string, File> open_listed_files(const PrescriptJson& description,
                                              const std::string& dir) {
  std::map<std::string, File> files;
  for (const auto& [name, hash] : description.files) {
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..")
      fail(dir + "/" + kPrescriptJson,
           "files: " + quote(name) + " is not the name of a file in the same directory");
    if (!is_there(fs::path(dir) / name))
      fail(dir, quote(name) + " is missing; prescript.json names it: get the adapter again");
    const File file = open_file(dir, name);
    if (sha256_hex(file->bytes()) != hash)
      fail(file->path(),
           "the file was changed: its SHA-256 is not the one in prescript.json; get the adapter "
           "again");
    files[name] = file;
  }
  return files;
}

Adapter read_own(const std::string& dir) {
  const File file = open_file(dir, kPrescriptJson);
  PrescriptJson description = parse_prescript_json(text_of(file), file->path());
  Adapter& adapter = description.adapter;
  const bool is_peft = adapter.position == PromptPosition::kStart;
  const char* const tensors = is_peft ? kPeftTensors : kOwnTensors;
  const auto files = open_listed_files(description, dir);
  if (!files.contains(tensors))
    fail(file->path(), std::string("files: ") + tensors + " is missing");
  adapter.prompt = read_soft_prompt(
      files.at(tensors), adapter.prompt.num_virtual_tokens, adapter.prompt.hidden_size);
  return std::move(adapter);
}

Adapter read_peft(const std::string& dir) {
  const File config = open_file(dir, kPeftConfig);
  Adapter adapter = parse_peft_config(text_of(config), config->path());
  if (!is_there(dir + "/" + kPeftTensors)) refuse_without_tensors(dir);
  adapter.prompt = read_soft_prompt(
      open_file(dir, kPeftTensors), adapter.prompt.num_virtual_tokens, adapter.prompt.hidden_size);
  return adapter;
}

}  // namespace

Adapter read_adapter(const std::string& dir) {
  std::error_code ignored;
  const fs::file_status status = fs::status(dir, ignored);
  if (!is_there(dir) || !fs::exists(status))
    fail(dir, "no such adapter; give the directory that training or PEFT wrote");
  if (!fs::is_directory(status))
    fail(dir, "not a directory; an adapter is the directory that training or PEFT wrote");
  if (is_there(dir + "/" + kPrescriptJson)) return read_own(dir);
  if (is_there(dir + "/" + kPeftConfig)) return read_peft(dir);
  refuse_directory(dir);
}

}  // namespace prescript
