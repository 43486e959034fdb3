#include "io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/counted.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr uint64_t kMaxKeyBytes = 65535;  // of the format
constexpr uint32_t kMaxDimensions = 4;    // GGML_MAX_DIMS
constexpr int kMaxArrayDepth = 4;
constexpr uint64_t kDefaultAlignment = 32;
// The least that a key with its value, a tensor's description, a string and an array take in the
// file. They bound every count by the bytes that are left before anything is allocated or looped
// over.
constexpr uint64_t kMinKeyBytes = 8 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;
constexpr uint64_t kMinStringBytes = 8;
constexpr uint64_t kMinArrayBytes = 4 + 8;

/// Bytes of a value of fixed size; 0 for strings, arrays and unknown types.
uint64_t fixed_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool:
      return 1;
    case GgufType::kUint16:
    case GgufType::kInt16:
      return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32:
      return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64:
      return 8;
    default:
      return 0;
  }
}

template <typename T>
T load(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Walks over the file and never leaves it.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  uint64_t offset() const { return offset_; }
  uint64_t left() const { return bytes_.size() - offset_; }
  std::span<const std::byte> since(uint64_t begin) const {
    return bytes_.subspan(begin, offset_ - begin);
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw InputError(ExitCode::kModel,
                     path_ + ": byte " + std::to_string(offset_) + ": " + message +
                         "; the file is damaged or not GGUF: get it again");
  }

  std::span<const std::byte> take(uint64_t count, const char* what) {
    if (count > left())
      fail(std::string(what) + " of " + counted(count, "byte") + ", but only " +
           std::to_string(left()) + " are left");
    offset_ += count;
    return bytes_.subspan(offset_ - count, count);
  }

  template <typename T>
  T number(const char* what) {
    return load<T>(take(sizeof(T), what));
  }

  std::string_view string(const char* what) { return as_text(take(number<uint64_t>(what), what)); }

  /// A count of things that take at least `min_bytes` each.
  uint64_t count(uint64_t min_bytes, const char* what) {
    const auto count = number<uint64_t>(what);
    if (count > left() / min_bytes)
      fail(std::to_string(count) + " " + what + " cannot fit into the " + counted(left(), "byte") +
           " left");
    return count;
  }

  GgufType value_type() {
    const auto type = number<uint32_t>("value type");
    if (type > static_cast<uint32_t>(GgufType::kFloat64))
      fail("unknown value type " + std::to_string(type));
    return static_cast<GgufType>(type);
  }

 private:
  std::span<const std::byte> bytes_;
  const std::string& path_;
  uint64_t offset_ = 0;
};

GgufValue read_array(Reader& reader, int depth);

void skip_elements(Reader& reader, GgufType type, uint64_t count, int depth) {
  if (const uint64_t bytes = fixed_bytes(type); bytes > 0) {
    reader.take(count * bytes,
                "array");  // cannot overflow: `count` was held against the bytes left
  } else if (type == GgufType::kString) {
    for (uint64_t i = 0; i < count; ++i) reader.string("string");
  } else {
    for (uint64_t i = 0; i < count; ++i) read_array(reader, depth + 1);
  }
}

GgufValue read_array(Reader& reader, int depth) {
  if (depth > kMaxArrayDepth)
    reader.fail("arrays nested deeper than " + std::to_string(kMaxArrayDepth) + " levels");
  GgufValue value;
  value.type = GgufType::kArray;
  value.element_type = reader.value_type();
  const uint64_t min_bytes = value.element_type == GgufType::kString ? kMinStringBytes
                             : value.element_type == GgufType::kArray
                                 ? kMinArrayBytes
                                 : fixed_bytes(value.element_type);
  value.count = reader.count(min_bytes, "array elements");
  const uint64_t begin = reader.offset();
  skip_elements(reader, value.element_type, value.count, depth);
  value.bytes = reader.since(begin);
  return value;
}

GgufValue read_value(Reader& reader) {
  GgufValue value;
  value.type = reader.value_type();
  if (value.type == GgufType::kArray) return read_array(reader, 1);
  if (value.type == GgufType::kString) {
    value.bytes = std::as_bytes(std::span(reader.string("string")));
  } else {
    value.bytes = reader.take(fixed_bytes(value.type), "value");
  }
  if (value.type == GgufType::kBool && load<uint8_t>(value.bytes) > 1)
    reader.fail("a bool that is neither 0 nor 1");
  return value;
}

/// A tensor's description, and where its bytes begin relative to the data.
struct PlacedTensor {
  GgufTensor tensor;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

PlacedTensor read_tensor(Reader& reader, const std::string& path) {
  PlacedTensor placed;
  GgufTensor& tensor = placed.tensor;
  tensor.name = reader.string("tensor name");
  const std::string who = "tensor " + quote(tensor.name);
  const auto num_dimensions = reader.number<uint32_t>("number of dimensions");
  if (num_dimensions < 1 || num_dimensions > kMaxDimensions)
    reader.fail(who + " has " + std::to_string(num_dimensions) + " dimensions, not 1 to 4");
  int64_t num_values = 1;
  for (uint32_t i = 0; i < num_dimensions; ++i) {
    const auto dimension = reader.number<int64_t>("dimension");
    if (dimension < 1 || __builtin_mul_overflow(num_values, dimension, &num_values))
      reader.fail(who + " has an impossible dimension " + std::to_string(dimension));
    tensor.shape.push_back(dimension);
  }
  const auto type = reader.number<uint32_t>("tensor type");
  const GgmlTypeLayout* layout = find_layout(type);
  if (layout == nullptr)
    throw InputError(ExitCode::kModel,
                     path + ": " + who + " is stored as " + ggml_type_name(type) +
                         ", which cannot be read; convert the model to F16, Q8_0, Q4_1 or Q4_K");
  tensor.type = static_cast<GgmlType>(type);
  if (tensor.shape.front() % layout->block_values != 0)
    reader.fail(who + ": rows of " + std::to_string(tensor.shape.front()) +
                " values are not whole blocks of " + layout->name);
  const int64_t num_blocks = num_values / layout->block_values;
  int64_t bytes = 0;
  if (__builtin_mul_overflow(num_blocks, layout->block_bytes, &bytes))
    reader.fail(who + " is larger than any file");
  placed.bytes = static_cast<uint64_t>(bytes);
  placed.offset = reader.number<uint64_t>("tensor offset");
  std::reverse(tensor.shape.begin(), tensor.shape.end());
  return placed;
}

/// Gives every tensor its bytes: inside the file, aligned, and none within another's.
void place_tensors(std::vector<PlacedTensor>& placed,
                   std::span<const std::byte> data,
                   uint64_t alignment,
                   const Reader& reader) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (auto& [tensor, offset, bytes] : placed) {
    const std::string who = "tensor " + quote(tensor.name);
    if (offset % alignment != 0)
      reader.fail(who + ": offset " + std::to_string(offset) +
                  " is not a multiple of the alignment " + std::to_string(alignment));
    if (offset > data.size() || bytes > data.size() - offset)
      reader.fail(who + ": " + counted(bytes, "byte") + " at offset " + std::to_string(offset) +
                  " of tensor data that are " + counted(data.size(), "byte") + " long");
    tensor.bytes = data.subspan(offset, bytes);
    ranges.emplace_back(offset, offset + bytes);
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second)
      reader.fail("two tensors share the bytes at offset " + std::to_string(ranges[i].first));
}

void check_magic_and_version(Reader& reader, const std::string& path) {
  const auto refuse = [&](const std::string& message) {
    throw InputError(ExitCode::kModel, path + ": " + message);
  };
  if (reader.left() < 4 || as_text(reader.take(4, "magic")) != "GGUF")
    refuse(
        "not a GGUF file; a base model is a GGUF file or an HF directory with safetensors files");
  const auto version = reader.number<uint32_t>("version");
  if (version != 0 && (version & 0xFFFF) == 0)
    refuse("a big-endian GGUF file; only little-endian ones are read");
  if (version != 2 && version != 3)
    refuse("GGUF version " + std::to_string(version) + "; versions 2 and 3 are read");
}

}  // namespace

std::shared_ptr<const GgufFile> GgufFile::open(const std::string& path) {
  const auto file = std::make_shared<GgufFile>(MappedFile::open(path));
  file->add_shards();
  return file;
}

GgufFile::GgufFile(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {
  Reader reader(file_->bytes(), file_->path());
  check_magic_and_version(reader, file_->path());
  const uint64_t num_tensors = reader.count(kMinTensorBytes, "tensors");
  const uint64_t num_keys = reader.count(kMinKeyBytes, "keys");
  for (uint64_t i = 0; i < num_keys; ++i) {
    const std::string_view key = reader.string("key");
    if (key.empty() || key.size() > kMaxKeyBytes)
      reader.fail("a key of " + std::to_string(key.size()) + " bytes");
    const auto [entry, is_new] = values_.try_emplace(std::string(key));
    if (!is_new) reader.fail("the key " + quote(key) + " comes twice");
    entry->second = read_value(reader);
  }
  const int64_t alignment =
      find_integer("general.alignment", 1, UINT32_MAX).value_or(kDefaultAlignment);
  if (!std::has_single_bit(static_cast<uint64_t>(alignment)))
    fail("general.alignment", std::to_string(alignment) + " is not a power of two");

  std::vector<PlacedTensor> placed;
  for (uint64_t i = 0; i < num_tensors; ++i) {
    placed.push_back(read_tensor(reader, file_->path()));
    if (!tensor_index_.try_emplace(placed.back().tensor.name, i).second)
      reader.fail("the tensor " + quote(placed.back().tensor.name) + " comes twice");
  }
  const uint64_t mask = static_cast<uint64_t>(alignment) - 1;
  const uint64_t data_begin = (reader.offset() + mask) & ~mask;
  const auto bytes = file_->bytes();
  place_tensors(
      placed, bytes.subspan(std::min<uint64_t>(data_begin, bytes.size())), mask + 1, reader);
  for (PlacedTensor& tensor : placed) tensors_.push_back(std::move(tensor.tensor));
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto entry = tensor_index_.find(name);
  return entry == tensor_index_.end() ? nullptr : &tensors_[entry->second];
}

}  // namespace prescript
