#include "model/device_blocks.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace prescript {
namespace {

size_t row_bytes(const TensorSource& source, const StoredRows& rows) {
  const TensorInfo& info = *source.find(rows.name);
  return source.blocks(rows.name)->bytes.size() / static_cast<size_t>(info.rows());
}

}  // namespace

bool DeviceBlocks::can_hold(const TensorSource& source, const StoredWeight& weight) {
  return std::all_of(weight.tensors.begin(), weight.tensors.end(), [&](const StoredRows& rows) {
    return !rows.is_transposed && source.blocks(rows.name);
  });
}

size_t DeviceBlocks::bytes(const TensorSource& source, const StoredWeight& weight) {
  size_t total = 0;
  for (const StoredRows& rows : weight.tensors) {
    total += static_cast<size_t>(rows.num_rows) * row_bytes(source, rows);
  }
  return total;
}

void DeviceBlocks::load(const StoredWeight& weight) {
  for (const StoredRows& rows : weight.tensors) {
    Buffer& buffer = held_[key_of(rows)];
    if (buffer == nullptr) load_rows(rows, buffer);
  }
}

void DeviceBlocks::load_rows(const StoredRows& rows, Buffer& buffer) {
  const std::span<const std::byte> stored = source_.blocks(rows.name)->bytes;
  const size_t size = row_bytes(source_, rows);
  const size_t total = static_cast<size_t>(rows.num_rows) * size;
  buffer = ops_.allocate(total);
  if (rows.is_run()) {
    ops_.upload_blocks(stored.subspan(static_cast<size_t>(rows.first_row) * size, total),
                       buffer.get());
  } else {
    std::vector<std::byte> ordered(total);
    for (int64_t row = 0; row < rows.num_rows; ++row) {
      const size_t from = static_cast<size_t>(rows.stored_row(row)) * size;
      std::memcpy(ordered.data() + static_cast<size_t>(row) * size, stored.data() + from, size);
    }
    ops_.upload_blocks(ordered, buffer.get());
  }
  source_.release(rows.name);
}

void DeviceBlocks::decode(const StoredWeight& weight, int64_t first, Weight to) {
  const int64_t end = first + to.rows;
  int64_t begin = 0;  // of the tensor's rows, in the weight
  for (const StoredRows& rows : weight.tensors) {
    const int64_t from = std::max(first, begin);
    const int64_t until = std::min(end, begin + rows.num_rows);
    if (from < until) {
      const auto* blocks = static_cast<const std::byte*>(held_.at(key_of(rows)).get());
      const size_t skipped = static_cast<size_t>(from - begin) * row_bytes(source_, rows);
      ops_.decode_blocks(static_cast<uint32_t>(source_.blocks(rows.name)->type),
                         blocks + skipped,
                         to,
                         from - first,
                         until - from);
    }
    begin += rows.num_rows;
  }
}

}  // namespace prescript
