#include "io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "io/json.h"
#include "io/quote.h"

namespace prescript {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // of the reference implementation
constexpr JsonLimits kHeaderLimits{.max_bytes = kMaxHeaderBytes, .max_depth = 8};
constexpr const char* kMetadataKey = "__metadata__";

/// In the order by which the reference implementation sorts tensors, last first; part of the
/// on-disk format.
struct Dtype {
  std::string_view name;
  size_t bytes;
};
constexpr std::array kDtypes = {Dtype{"BOOL", 1},
                                Dtype{"U8", 1},
                                Dtype{"I8", 1},
                                Dtype{"F8_E5M2", 1},
                                Dtype{"F8_E4M3", 1},
                                Dtype{"F8_E8M0", 1},
                                Dtype{"I16", 2},
                                Dtype{"U16", 2},
                                Dtype{"F16", 2},
                                Dtype{"BF16", 2},
                                Dtype{"I32", 4},
                                Dtype{"U32", 4},
                                Dtype{"F32", 4},
                                Dtype{"C64", 8},
                                Dtype{"F64", 8},
                                Dtype{"I64", 8},
                                Dtype{"U64", 8}};

/// Position in kDtypes, its size for an unknown name.
size_t rank_of(std::string_view dtype) {
  const auto entry = std::find_if(
      kDtypes.begin(), kDtypes.end(), [&](const Dtype& known) { return known.name == dtype; });
  return static_cast<size_t>(entry - kDtypes.begin());
}

/// A tensor as the header describes it: a range of the data.
struct Entry {
  SafetensorsTensor tensor;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Bytes of a tensor of this shape, or nothing when they overflow.
std::optional<uint64_t> bytes_of(const std::vector<int64_t>& shape, size_t element_bytes) {
  uint64_t bytes = element_bytes;
  for (const int64_t dimension : shape)
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(dimension), &bytes))
      return std::nullopt;
  return bytes;
}

Entry read_entry(const std::string& name, const JsonCursor& info) {
  constexpr int64_t kMaxEmptyDimension = int64_t{1} << 31;
  Entry entry;
  SafetensorsTensor& tensor = entry.tensor;
  tensor.name = name;
  tensor.dtype = info.at("dtype").string();
  const size_t element_bytes = safetensors_element_bytes(tensor.dtype);
  if (element_bytes == 0) info.at("dtype").fail("unknown dtype " + quote(tensor.dtype));
  const JsonCursor shape = info.at("shape");
  for (size_t i = 0; i < shape.size(); ++i) tensor.shape.push_back(shape.item(i).integer(0));
  const JsonCursor offsets = info.at("data_offsets");
  if (offsets.size() != 2)
    offsets.fail("expected two offsets, found " + std::to_string(offsets.size()));
  entry.begin = static_cast<uint64_t>(offsets.item(0).integer(0));
  entry.end = static_cast<uint64_t>(offsets.item(1).integer(0));
  if (entry.end < entry.begin) offsets.fail("the end lies before the beginning");
  const auto bytes = bytes_of(tensor.shape, element_bytes);
  if (!bytes.has_value()) shape.fail("more elements than 64 bits can count");
  if (*bytes != entry.end - entry.begin)
    info.fail("shape and dtype need " + counted(*bytes, "byte") + ", the offsets give " +
              std::to_string(entry.end - entry.begin));
  if (*bytes == 0 && !tensor.shape.empty() &&
      *std::max_element(tensor.shape.begin(), tensor.shape.end()) > kMaxEmptyDimension)
    shape.fail("an empty tensor with a dimension above 2^31");
  return entry;
}

/// Gives tensors their bytes after checking that they cover `data` exactly.
void place_entries(std::vector<Entry>& entries,
                   std::span<const std::byte> data,
                   const std::string& path,
                   ExitCode code) {
  const auto fail = [&](const std::string& message) {
    throw InputError(code, path + ": " + message + "; the file is damaged: get it again");
  };
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t covered = 0;
  for (Entry& entry : entries) {
    const std::string who = "tensor " + quote(entry.tensor.name);
    if (entry.begin < covered) fail(who + " overlaps the tensor before it");
    if (entry.begin > covered) fail(who + " leaves a hole before it");
    if (entry.end > data.size())
      fail(who + " ends at byte " + std::to_string(entry.end) + " of " +
           std::to_string(data.size()));
    entry.tensor.bytes = data.subspan(entry.begin, entry.end - entry.begin);
    covered = entry.end;
  }
  if (covered != data.size())
    fail(counted(data.size() - covered, "byte") + " behind the last tensor");
}

}  // namespace

size_t safetensors_element_bytes(std::string_view dtype) {
  const size_t rank = rank_of(dtype);
  return rank == kDtypes.size() ? 0 : kDtypes[rank].bytes;
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::string& path,
                                                             ExitCode code) {
  return std::make_shared<const SafetensorsFile>(MappedFile::open(path, code), code);
}

SafetensorsFile::SafetensorsFile(std::shared_ptr<const MappedFile> file, ExitCode code)
    : file_(std::move(file)) {
  const auto bytes = file_->bytes();
  const auto fail = [&](const std::string& message) {
    throw InputError(code, path() + ": " + message + "; it is damaged or not a safetensors file");
  };
  uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) fail("no room for a header");
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kMaxHeaderBytes || header_bytes > bytes.size() - sizeof header_bytes)
    fail("a header of " + std::to_string(header_bytes) + " bytes in a file of " +
         std::to_string(bytes.size()));
  const auto header_span = bytes.subspan(sizeof header_bytes, header_bytes);
  const std::string_view header(reinterpret_cast<const char*>(header_span.data()), header_bytes);
  if (!header.starts_with('{')) fail("the header does not begin with {");

  const std::string place = path() + ": header";
  const nlohmann::json parsed = parse_json(header, place, code, kHeaderLimits);
  const JsonCursor root(parsed, place, code);
  std::vector<Entry> entries;
  for (const std::string& name : root.keys()) {
    const JsonCursor value = root.at(name);
    if (name != kMetadataKey) {
      entries.push_back(read_entry(name, value));
      continue;
    }
    for (const std::string& key : value.keys()) metadata_[key] = value.at(key).string();
  }
  place_entries(entries, bytes.subspan(sizeof header_bytes + header_bytes), path(), code);
  for (Entry& entry : entries) tensors_.push_back(std::move(entry.tensor));
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const SafetensorsTensor* SafetensorsFile::find(std::string_view name) const {
  const auto entry = index_.find(name);
  return entry == index_.end() ? nullptr : &tensors_[entry->second];
}

std::string safetensors_file_bytes(std::vector<SafetensorsTensor> tensors,
                                   const std::map<std::string, std::string>& metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    const size_t rank_a = rank_of(a.dtype);
    const size_t rank_b = rank_of(b.dtype);
    return rank_a != rank_b ? rank_a > rank_b : a.name < b.name;
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const size_t element_bytes = safetensors_element_bytes(tensor.dtype);
    PRESCRIPT_CHECK(element_bytes > 0, "unknown dtype " + tensor.dtype);
    PRESCRIPT_CHECK(
        bytes_of(tensor.shape, element_bytes) == tensor.bytes.size(),
        tensor.name + ": " + counted(tensor.bytes.size(), "byte") + " do not fit its shape");
    PRESCRIPT_CHECK(tensor.name != kMetadataKey && !header.contains(tensor.name),
                    tensor.name + " comes twice");
    nlohmann::ordered_json& entry = header[tensor.name];
    entry["dtype"] = tensor.dtype;
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {offset, offset + tensor.bytes.size()};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t header_bytes = text.size();
  std::string file(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
  file.reserve(file.size() + text.size() + offset);
  file += text;
  for (const SafetensorsTensor& tensor : tensors)
    file.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  return file;
}

}  // namespace prescript
