#include "base/event_file.h"

#include <array>
#include <bit>
#include <utility>

namespace prescript {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}

template <typename T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(value >> 8 * i & 0xFF);
  return bytes;
}

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// Fields of a protobuf message: the tag is field number << 3 | wire type.
std::string varint_field(int number, uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string double_field(int number, double value) {
  return varint(number << 3 | 1) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string bytes_field(int number, std::string_view value) {
  return varint(number << 3 | 2) + varint(value.size()) + std::string(value);
}
std::string float_field(int number, float value) {
  return varint(number << 3 | 5) + little_endian(std::bit_cast<uint32_t>(value));
}

/// A plain CRC of data that holds CRCs is weak, so TFRecord rotates it and adds a constant.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

std::string record(std::string_view data) {
  const std::string length = little_endian(uint64_t{data.size()});
  return length + little_endian(masked_crc(length)) + std::string(data) +
         little_endian(masked_crc(data));
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = make_crc_table();
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

EventFile::EventFile(std::string path, uint64_t keep_bytes, double wall_time_s)
    : file_(std::move(path), keep_bytes) {
  if (keep_bytes == 0)
    file_.append(record(double_field(1, wall_time_s) + bytes_field(3, "brain.Event:2")));
}

void EventFile::add_scalar(std::string_view tag, int64_t step, float value, double wall_time_s) {
  const std::string scalar = bytes_field(1, tag) + float_field(2, value);
  file_.append(record(double_field(1, wall_time_s) + varint_field(2, static_cast<uint64_t>(step)) +
                      bytes_field(5, bytes_field(1, scalar))));
}

}  // namespace prescript
