// The metadata of a GGUF file, decoded on demand.

#include <cmath>
#include <concepts>
#include <cstring>

#include "io/gguf.h"

namespace prescript {
namespace {

const char* name_of(GgufType type) {
  constexpr const char* kNames[] = {"uint8",
                                    "int8",
                                    "uint16",
                                    "int16",
                                    "uint32",
                                    "int32",
                                    "float32",
                                    "bool",
                                    "string",
                                    "array",
                                    "uint64",
                                    "int64",
                                    "float64"};
  return kNames[static_cast<uint32_t>(type)];
}

template <typename T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

/// Calls `use` with every number that lies in `bytes`, in its own type; false when `type` is not a
/// number.
template <typename Use>
bool for_each_number(GgufType type, std::span<const std::byte> bytes, const Use& use) {
  const auto walk = [&]<typename T>(T) {
    for (size_t at = 0; at < bytes.size(); at += sizeof(T)) use(load<T>(bytes.data() + at));
    return true;
  };
  switch (type) {
    case GgufType::kUint8:
      return walk(uint8_t{});
    case GgufType::kInt8:
      return walk(int8_t{});
    case GgufType::kUint16:
      return walk(uint16_t{});
    case GgufType::kInt16:
      return walk(int16_t{});
    case GgufType::kUint32:
      return walk(uint32_t{});
    case GgufType::kInt32:
      return walk(int32_t{});
    case GgufType::kUint64:
      return walk(uint64_t{});
    case GgufType::kInt64:
      return walk(int64_t{});
    case GgufType::kFloat32:
      return walk(float{});
    case GgufType::kFloat64:
      return walk(double{});
    default:
      return false;
  }
}

bool is_fraction(GgufType type) {
  return type == GgufType::kFloat32 || type == GgufType::kFloat64;
}

/// As int64; a uint64 beyond its range becomes its largest value, which no caller's range contains.
template <typename T>
int64_t to_int64(T number) {
  if constexpr (std::same_as<T, uint64_t>)
    return number > uint64_t{INT64_MAX} ? INT64_MAX : static_cast<int64_t>(number);
  return static_cast<int64_t>(number);
}

}  // namespace

void GgufFile::fail(std::string_view key, const std::string& message) const {
  throw InputError(ExitCode::kModel, path() + ": " + std::string(key) + ": " + message);
}

const GgufValue& GgufFile::required(std::string_view key) const {
  const auto entry = values_.find(key);
  if (entry == values_.end()) fail(key, "missing; the file is not a complete model");
  return entry->second;
}

const GgufValue& GgufFile::required_array(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type != GgufType::kArray)
    fail(key, std::string("expected an array, found a value of type ") + name_of(value.type));
  return value;
}

std::vector<std::string> GgufFile::keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : values_) keys.push_back(key);
  return keys;
}

int64_t GgufFile::integer(std::string_view key, int64_t min, int64_t max) const {
  const GgufValue& value = required(key);
  int64_t result = 0;
  if (is_fraction(value.type) || !for_each_number(value.type, value.bytes, [&](auto number) {
        if constexpr (!std::floating_point<decltype(number)>) result = to_int64(number);
      }))
    fail(key, std::string("expected an integer, found a value of type ") + name_of(value.type));
  if (result < min || result > max)
    fail(key,
         std::to_string(result) + " is not in [" + std::to_string(min) + ", " +
             std::to_string(max) + "]");
  return result;
}

double GgufFile::number(std::string_view key) const {
  const GgufValue& value = required(key);
  double result = 0;
  if (!for_each_number(
          value.type, value.bytes, [&](auto number) { result = static_cast<double>(number); }))
    fail(key, std::string("expected a number, found a value of type ") + name_of(value.type));
  if (!std::isfinite(result)) fail(key, "the number is not finite");
  return result;
}

bool GgufFile::boolean(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type != GgufType::kBool)
    fail(key, std::string("expected a bool, found a value of type ") + name_of(value.type));
  return value.bytes[0] != std::byte{0};
}

std::string GgufFile::string(std::string_view key) const {
  const GgufValue& value = required(key);
  if (value.type != GgufType::kString)
    fail(key, std::string("expected a string, found a value of type ") + name_of(value.type));
  return std::string(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

std::vector<std::string> GgufFile::strings(std::string_view key) const {
  const GgufValue& value = required_array(key);
  if (value.element_type != GgufType::kString)
    fail(key,
         std::string("expected strings, found elements of type ") + name_of(value.element_type));
  std::vector<std::string> strings;
  strings.reserve(value.count);
  const std::byte* at = value.bytes.data();
  for (uint64_t i = 0; i < value.count; ++i) {
    const auto bytes = load<uint64_t>(at);  // held against the file when it was opened
    strings.emplace_back(reinterpret_cast<const char*>(at + sizeof bytes), bytes);
    at += sizeof bytes + bytes;
  }
  return strings;
}

std::vector<int64_t> GgufFile::integers(std::string_view key) const {
  const GgufValue& value = required_array(key);
  std::vector<int64_t> integers;
  if (is_fraction(value.element_type) ||
      !for_each_number(value.element_type, value.bytes, [&](auto number) {
        if constexpr (!std::floating_point<decltype(number)>) integers.push_back(to_int64(number));
      }))
    fail(key,
         std::string("expected integers, found elements of type ") + name_of(value.element_type));
  return integers;
}

std::vector<double> GgufFile::numbers(std::string_view key) const {
  const GgufValue& value = required_array(key);
  std::vector<double> numbers;
  if (!for_each_number(value.element_type, value.bytes, [&](auto number) {
        numbers.push_back(static_cast<double>(number));
      }))
    fail(key,
         std::string("expected numbers, found elements of type ") + name_of(value.element_type));
  for (const double number : numbers)
    if (!std::isfinite(number)) fail(key, "a number is not finite");
  return numbers;
}

std::optional<int64_t> GgufFile::find_integer(std::string_view key,
                                              int64_t min,
                                              int64_t max) const {
  return has(key) ? std::optional(integer(key, min, max)) : std::nullopt;
}

std::optional<double> GgufFile::find_number(std::string_view key) const {
  return has(key) ? std::optional(number(key)) : std::nullopt;
}

std::optional<bool> GgufFile::find_boolean(std::string_view key) const {
  return has(key) ? std::optional(boolean(key)) : std::nullopt;
}

std::optional<std::string> GgufFile::find_string(std::string_view key) const {
  return has(key) ? std::optional(string(key)) : std::nullopt;
}

}  // namespace prescript
