#include "model/device_blocks.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/arena.h"

namespace prescript {
namespace {

size_t row_bytes(const TensorSource& source, const StoredRows& rows) {
  const TensorInfo& info = *source.find(rows.name);
  return source.blocks(rows.name)->bytes.size() / static_cast<size_t>(info.rows());
}

size_t size_of_rows(const TensorSource& source, const StoredRows& rows) {
  return static_cast<size_t>(rows.num_rows) * row_bytes(source, rows);
}

/// Each tensor's rows begin where a backend may load many bytes at a time.
constexpr std::array<std::byte, Arena::kAlignment> kPadding{};

size_t padded(size_t bytes) {
  return (bytes + kPadding.size() - 1) / kPadding.size() * kPadding.size();
}

/// The stored bytes of rows, in their order.
void add_pieces(const TensorSource& source, const StoredRows& rows, BytePieces& pieces) {
  const std::span<const std::byte> stored = source.blocks(rows.name)->bytes;
  const size_t size = row_bytes(source, rows);
  if (rows.is_run()) {
    pieces.push_back(stored.subspan(static_cast<size_t>(rows.first_row) * size,
                                    static_cast<size_t>(rows.num_rows) * size));
    return;
  }
  for (int64_t row = 0; row < rows.num_rows; ++row) {
    pieces.push_back(stored.subspan(static_cast<size_t>(rows.stored_row(row)) * size, size));
  }
}

}  // namespace

bool DeviceBlocks::can_hold(const TensorSource& source, const StoredWeight& weight) {
  return std::all_of(weight.tensors.begin(), weight.tensors.end(), [&](const StoredRows& rows) {
    return !rows.is_transposed && source.blocks(rows.name);
  });
}

size_t DeviceBlocks::bytes(const TensorSource& source, std::span<const StoredWeight> weights) {
  size_t total = 0;
  for (const StoredWeight& weight : weights) {
    for (const StoredRows& rows : weight.tensors) total += padded(size_of_rows(source, rows));
  }
  return total;
}

DeviceBlocks::DeviceBlocks(Ops& ops, const TensorSource& source, size_t bytes)
    : ops_(ops), source_(source), bytes_(bytes), room_(ops.allocate(bytes)) {}

void DeviceBlocks::start(std::vector<StoredWeight> weights) {
  PRESCRIPT_CHECK(upload_ == nullptr, "what was started before has not finished");
  PRESCRIPT_CHECK(bytes(source_, weights) <= bytes_, "too little room for these weights");
  weights_ = std::move(weights);
  places_.clear();
  BytePieces pieces;
  size_t place = 0;
  for (const StoredWeight& weight : weights_) {
    for (const StoredRows& rows : weight.tensors) {
      places_[key_of(rows)] = place;
      add_pieces(source_, rows, pieces);
      const size_t size = size_of_rows(source_, rows);
      pieces.push_back(std::span(kPadding).first(padded(size) - size));
      place += padded(size);
    }
  }
  upload_ = ops_.start_upload(std::move(pieces), room_.get());
}

void DeviceBlocks::finish() {
  if (upload_ == nullptr) return;
  std::exchange(upload_, nullptr)->finish();
  for (const StoredWeight& weight : weights_) weight.release(source_);
}

void DeviceBlocks::decode(const StoredWeight& weight, int64_t first, Weight to) {
  PRESCRIPT_CHECK(upload_ == nullptr, "what was started has not finished");
  const int64_t end = first + to.rows;
  int64_t begin = 0;  // of the tensor's rows, in the weight
  for (const StoredRows& rows : weight.tensors) {
    const int64_t from = std::max(first, begin);
    const int64_t until = std::min(end, begin + rows.num_rows);
    if (from < until) {
      const auto* blocks = static_cast<const std::byte*>(room_.get()) + places_.at(key_of(rows));
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
