#include "io/tensor_source.h"

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "io/json.h"
#include "io/mapped_file.h"
#include "io/quote.h"
#include "io/safetensors.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr JsonLimits kIndexLimits{.max_bytes = 64u << 20, .max_depth = 8};

void decode_f64(std::span<const std::byte> bytes, std::span<float> values) {
  for (size_t i = 0; i < values.size(); ++i) {
    double value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    values[i] = static_cast<float>(value);
  }
}

/// How a stored type becomes float32: whole blocks at a time.
struct Decoding {
  int64_t block_values = 1;
  int64_t block_bytes = 0;
  std::function<void(std::span<const std::byte>, std::span<float>)> decode;  // empty: not readable
  std::optional<GgmlType> type = std::nullopt;
};

Decoding decoding_of(GgmlType type) {
  const GgmlTypeLayout& layout = layout_of(type);
  const auto decode = [type](auto bytes, auto values) { dequantize(type, bytes, values); };
  return {layout.block_values, layout.block_bytes, decode, type};
}

Decoding decoding_of_safetensors(const std::string& dtype) {
  if (dtype == "F32") return decoding_of(GgmlType::kF32);
  if (dtype == "F16") return decoding_of(GgmlType::kF16);
  if (dtype == "BF16") return decoding_of(GgmlType::kBF16);
  if (dtype == "F64") return {1, sizeof(double), decode_f64};
  return {};
}

struct StoredTensor {
  TensorInfo info;
  std::span<const std::byte> bytes;
  Decoding decoding;
};

/// Tensors of any number of mapped files.
class MappedTensors final : public TensorSource {
 public:
  explicit MappedTensors(std::string path) : path_(std::move(path)) {}

  void keep(std::shared_ptr<const void> mapping, const std::vector<std::string>& files) {
    mappings_.push_back(std::move(mapping));
    files_.insert(files_.end(), files.begin(), files.end());
  }

  void add(StoredTensor tensor) {
    tensor.info.is_readable = tensor.decoding.decode != nullptr;
    index_.emplace(tensor.info.name, tensors_.size());
    tensors_.push_back(std::move(tensor));
  }

  const std::string& path() const override { return path_; }
  std::vector<std::string> files() const override { return files_; }

  const TensorInfo* find(std::string_view name) const override {
    const auto entry = index_.find(name);
    return entry == index_.end() ? nullptr : &tensors_[entry->second].info;
  }

  std::vector<TensorInfo> list() const override {
    std::vector<TensorInfo> infos;
    for (const StoredTensor& tensor : tensors_) infos.push_back(tensor.info);
    return infos;
  }

  int64_t column_alignment(std::string_view name) const override {
    return get(name).decoding.block_values;
  }

  void read(std::string_view name,
            int64_t row_begin,
            int64_t row_end,
            int64_t col_begin,
            int64_t col_end,
            float* out) const override;

  std::optional<StoredBlocks> blocks(std::string_view name) const override {
    const StoredTensor& tensor = get(name);
    if (!tensor.decoding.type) return std::nullopt;
    return StoredBlocks{*tensor.decoding.type, tensor.bytes};
  }

  void release(std::string_view name) const override { release_pages(get(name).bytes); }

  void read_ahead(std::string_view name) const override { read_ahead_pages(get(name).bytes); }

 private:
  const StoredTensor& get(std::string_view name) const {
    const auto entry = index_.find(name);
    PRESCRIPT_CHECK(entry != index_.end(), "no tensor " + quote(name));
    return tensors_[entry->second];
  }

  std::string path_;
  std::vector<std::shared_ptr<const void>> mappings_;
  std::vector<std::string> files_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_;
};

void MappedTensors::read(std::string_view name,
                         int64_t row_begin,
                         int64_t row_end,
                         int64_t col_begin,
                         int64_t col_end,
                         float* out) const {
  const auto& [info, bytes, decoding] = get(name);
  const auto& [block_values, block_bytes, decode, type] = decoding;
  PRESCRIPT_CHECK(decode,
                  info.name + " is stored as " + info.stored_type + ", which is not readable");
  PRESCRIPT_CHECK(0 <= row_begin && row_begin <= row_end && row_end <= info.rows() &&
                      0 <= col_begin && col_begin <= col_end && col_end <= info.cols(),
                  info.name + ": rows [" + std::to_string(row_begin) + ", " +
                      std::to_string(row_end) + ") and columns [" + std::to_string(col_begin) +
                      ", " + std::to_string(col_end) + ") are not within " +
                      std::to_string(info.rows()) + " x " + std::to_string(info.cols()));
  PRESCRIPT_CHECK(col_begin % block_values == 0 && col_end % block_values == 0,
                  info.name + ": columns [" + std::to_string(col_begin) + ", " +
                      std::to_string(col_end) + ") split blocks of " +
                      std::to_string(block_values));
  const int64_t cols = col_end - col_begin;
  const bool whole_rows = cols == info.cols();
  // Whole rows lie one behind the other, so they decode as one long row.
  const int64_t num_runs = whole_rows ? 1 : row_end - row_begin;
  const int64_t run_values = whole_rows ? (row_end - row_begin) * cols : cols;
  const int64_t run_bytes = run_values / block_values * block_bytes;
  for (int64_t run = 0; run < num_runs; ++run) {
    const int64_t first_block = ((row_begin + run) * info.cols() + col_begin) / block_values;
    decode(bytes.subspan(static_cast<size_t>(first_block * block_bytes),
                         static_cast<size_t>(run_bytes)),
           {out + run * run_values, static_cast<size_t>(run_values)});
  }
}

void add_safetensor(MappedTensors& source, const SafetensorsTensor& tensor) {
  source.add({.info = {tensor.name, tensor.dtype, tensor.shape, tensor.bytes.size()},
              .bytes = tensor.bytes,
              .decoding = decoding_of_safetensors(tensor.dtype)});
}

[[noreturn]] void fail(const std::string& place, const std::string& message) {
  throw InputError(ExitCode::kModel, place + ": " + message);
}

/// Tensor name -> file name, of the index.
std::map<std::string, std::string> read_weight_map(const std::string& index_path) {
  const nlohmann::json index = parse_json_file(index_path, ExitCode::kModel, kIndexLimits);
  const JsonCursor weight_map = JsonCursor(index, index_path, ExitCode::kModel).at("weight_map");
  std::map<std::string, std::string> files;
  for (const std::string& name : weight_map.keys()) {
    const JsonCursor entry = weight_map.at(name);
    const std::string& file = entry.string();
    if (file.find('/') != std::string::npos || !file.ends_with(".safetensors"))
      entry.fail(quote(file) + " is not the name of a .safetensors file in the same directory");
    files.emplace(name, file);
  }
  if (files.empty()) fail(index_path, "weight_map is empty");
  return files;
}

[[noreturn]] void fail_without_safetensors(const std::string& dir) {
  if (!fs::is_directory(dir)) fail(dir, "no such directory");
  for (const auto& entry : fs::directory_iterator(dir)) {
    const std::string extension = entry.path().extension().string();
    const std::string name = entry.path().filename().string();
    if (name == "pytorch_model.bin.index.json" || extension == ".bin" || extension == ".pt" ||
        extension == ".pth" || extension == ".ckpt")
      fail(dir,
           "the weights are pickled (" + quote(name) +
               "), and unpickling runs code from the file; convert them with transformers: "
               "AutoModelForCausalLM.from_pretrained(...).save_pretrained(DIR, "
               "safe_serialization=True)");
  }
  fail(dir,
       std::string("neither ") + kSingleFile + " nor " + kIndexFile +
           " is there; a base model is a GGUF file or an HF directory with safetensors files");
}

void add_shards(MappedTensors& source, const std::string& dir) {
  const std::string index_path = dir + "/" + kIndexFile;
  const std::map<std::string, std::string> weight_map = read_weight_map(index_path);
  std::map<std::string, std::shared_ptr<const SafetensorsFile>> shards;
  for (const auto& [name, file] : weight_map) {
    auto& shard = shards[file];
    if (shard == nullptr) {
      shard = SafetensorsFile::open(fs::path(dir) / file);
    }
    if (shard->find(name) == nullptr)
      fail(index_path, quote(name) + " is not in " + file + ", where the index says it is");
  }
  for (const auto& [file, shard] : shards) {
    source.keep(shard, {shard->path()});
    for (const SafetensorsTensor& tensor : shard->tensors()) {
      const auto entry = weight_map.find(tensor.name);
      if (entry != weight_map.end() && entry->second == file) add_safetensor(source, tensor);
    }
  }
}

}  // namespace

int64_t TensorInfo::cols() const {
  return shape.empty() ? 1 : shape.back();
}

int64_t TensorInfo::rows() const {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) rows *= shape[i];
  return rows;
}

std::vector<float> TensorSource::read_all(std::string_view name) const {
  const TensorInfo* info = find(name);
  PRESCRIPT_CHECK(info != nullptr, "no tensor " + quote(name));
  std::vector<float> values(static_cast<size_t>(info->rows() * info->cols()));
  read(name, 0, info->rows(), 0, info->cols(), values.data());
  return values;
}

std::unique_ptr<TensorSource> open_gguf_tensors(const std::shared_ptr<const GgufFile>& file) {
  auto source = std::make_unique<MappedTensors>(file->path());
  for (const GgufTensor& tensor : file->tensors())
    source->add(
        {.info = {tensor.name, layout_of(tensor.type).name, tensor.shape, tensor.bytes.size()},
         .bytes = tensor.bytes,
         .decoding = decoding_of(tensor.type)});
  source->keep(file, file->paths());
  return source;
}

std::unique_ptr<TensorSource> open_safetensors_directory(const std::string& dir) {
  const std::string single = dir + "/" + kSingleFile;
  auto source = std::make_unique<MappedTensors>(fs::exists(single) ? single : dir);
  if (fs::exists(single)) {
    const auto file = SafetensorsFile::open(single);
    source->keep(file, {file->path()});
    for (const SafetensorsTensor& tensor : file->tensors()) add_safetensor(*source, tensor);
  } else if (fs::exists(dir + "/" + kIndexFile)) {
    add_shards(*source, dir);
  } else {
    fail_without_safetensors(dir);
  }
  return source;
}

}  // namespace prescript
