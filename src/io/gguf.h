#pragma once
// GGUF files: metadata and the places of tensors. Part of llama.cpp's on-disk format, versions 2
// and 3, little-endian (ggml/docs/gguf.md).

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/gguf_quantization.h"
#include "io/mapped_file.h"

namespace prescript {

/// Types of metadata values; part of the on-disk format.
enum class GgufType : uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

/// A metadata value, checked but not decoded: `bytes` is where it lies in the file. For an array
/// these are its elements, `count` of them, one behind the other.
struct GgufValue {
  GgufType type = GgufType::kUint8;
  GgufType element_type = GgufType::kUint8;
  uint64_t count = 1;
  std::span<const std::byte> bytes;
};

struct GgufTensor {
  std::string name;
  GgmlType type = GgmlType::kF32;
  std::vector<int64_t>
      shape;  // outermost first, as PyTorch prints it (the file holds it the other way round)
  std::span<const std::byte> bytes;
};

/// A checked GGUF file with, where it is the first of several, the tensors of all of them. Every
/// count, length and offset is compared with the bytes present before anything is allocated;
/// duplicate names, overlapping tensors and tensors beyond the end are refused. A tensor of a type
/// that cannot be read is refused by name when the file is opened. Accessors throw
/// InputError(kModel) "file: key: ..." when a required key is absent or of another type.
class GgufFile {
 public:
  /// Throws InputError(kModel), also for a shard that is not the first, and when a shard is missing
  /// or is none of this model.
  static std::shared_ptr<const GgufFile> open(const std::string& path);
  /// This file alone.
  explicit GgufFile(std::shared_ptr<const MappedFile> file);
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;

  const std::string& path() const { return file_->path(); }
  /// This file, and the other shards in their order.
  std::vector<std::string> paths() const;

  bool has(std::string_view key) const { return values_.find(key) != values_.end(); }
  std::vector<std::string> keys() const;

  /// Any integer type, in [min, max].
  int64_t integer(std::string_view key, int64_t min, int64_t max) const;
  double number(std::string_view key) const;  // float32, float64 or an integer type; finite
  bool boolean(std::string_view key) const;
  std::string string(std::string_view key) const;
  std::vector<std::string> strings(std::string_view key) const;
  std::vector<int64_t> integers(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;

  /// The same, nothing when the key is absent.
  std::optional<int64_t> find_integer(std::string_view key, int64_t min, int64_t max) const;
  std::optional<double> find_number(std::string_view key) const;
  std::optional<bool> find_boolean(std::string_view key) const;
  std::optional<std::string> find_string(std::string_view key) const;

  /// In the order of the files.
  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* find_tensor(std::string_view name) const;

 private:
  void add_shards();
  void add_shard(const std::string& path, int64_t number);
  const GgufValue& required(std::string_view key) const;
  const GgufValue& required_array(std::string_view key) const;
  [[noreturn]] void fail(std::string_view key, const std::string& message) const;

  std::shared_ptr<const MappedFile> file_;
  std::vector<std::shared_ptr<const GgufFile>> shards_;  // the others
  std::map<std::string, GgufValue, std::less<>> values_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string, size_t, std::less<>> tensor_index_;
};

}  // namespace prescript
