#include "emulator/warpgroup.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include "emulator/block.h"
#include "emulator/memory.h"

namespace prescript::emulator {
namespace {

constexpr size_t kThreads = 128;
constexpr size_t kRows = 64;
constexpr size_t kDepth = 16;
constexpr uint32_t kUnitBytes = 16;
constexpr size_t kUnitElements = 8;
constexpr uint32_t kUnderWay = 0xFFFFABCD;  // NaN

// --- descriptors, as the PTX ISA has them ---

constexpr uint64_t kField = 0x3FFF;  // in units of 16 bytes
constexpr int kLeading = 16;
constexpr int kStride = 32;
constexpr int kSwizzle = 62;
constexpr uint64_t kSwizzle128 = 1;

struct Tile {
  uint32_t start;
  uint32_t leading;
  uint32_t stride;

  explicit Tile(uint64_t descriptor)
      : start(field(descriptor, 0)),
        leading(field(descriptor, kLeading)),
        stride(field(descriptor, kStride)) {
    if (descriptor >> kSwizzle != kSwizzle128) fail("wgmma: a swizzle other than of 128 bytes");
    if ((descriptor >> 49 & 7) != 0) fail("wgmma: a base offset");
  }

  static uint32_t field(uint64_t descriptor, int bit) {
    return static_cast<uint32_t>(descriptor >> bit & kField) * kUnitBytes;
  }
  static uint32_t swizzled(uint32_t address) { return address ^ (address >> 7 & 7) << 4; }

  /// Half `half` of the depth of a row.
  uint32_t row_unit(size_t row, size_t half) const {
    return swizzled(static_cast<uint32_t>(start + row / 8 * stride + row % 8 * 128 + half * 16));
  }
  /// Columns 8j to 8j + 7 of row k.
  uint32_t column_unit(size_t k, size_t j) const {
    return swizzled(
        static_cast<uint32_t>(start + j / 8 * leading + j % 8 * 16 + k / 8 * stride + k % 8 * 128));
  }
};

/// Offsets in shared memory of what a product reads there, each of 16 bytes.
std::vector<uint32_t> units_of(const TileProduct& product) {
  std::vector<uint32_t> units;
  const Tile b(product.b_tile);
  if (product.by_columns) {
    for (size_t k = 0; k < kDepth; ++k) {
      for (size_t j = 0; j < product.num_columns / 8; ++j) units.push_back(b.column_unit(k, j));
    }
  } else {
    for (size_t n = 0; n < product.num_columns; ++n) {
      for (size_t half = 0; half < 2; ++half) units.push_back(b.row_unit(n, half));
    }
  }
  if (product.held_a.places.empty()) {
    const Tile a(product.a_tile);
    for (size_t row = 0; row < kRows; ++row) {
      for (size_t half = 0; half < 2; ++half) units.push_back(a.row_unit(row, half));
    }
  }
  return units;
}

const unsigned char* shared_at(uint32_t offset) {
  const auto* shared = static_cast<const unsigned char*>(dynamic_shared());
  const Allocation* allocation = find_allocation(shared);
  if (allocation == nullptr || offset + kUnitBytes > allocation->bytes) {
    fail("wgmma: a tile outside of shared memory");
  }
  return shared + offset;
}

uint64_t hash_of(const std::vector<uint32_t>& units) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const uint32_t unit : units) {
    uint64_t words[2];
    std::memcpy(words, shared_at(unit), sizeof words);
    for (const uint64_t word : words) hash = (hash ^ word) * 0x9E3779B97F4A7C15;
  }
  return hash;
}

/// Each thread of the group tells of its share.
void tell_of_reads(const std::vector<uint32_t>& units, const void* code) {
  Observer* const observer = current_observer();
  if (observer == nullptr) return;
  for (size_t i = running->linear % kThreads; i < units.size(); i += kThreads) {
    observer->on_access(shared_at(units[i]), kUnitBytes, false, code);
  }
}

void check_published(const std::vector<uint32_t>& units) {
  for (const uint32_t unit : units) {
    if (Block::current().is_unpublished(unit / kUnitBytes)) {
      fail("wgmma: a tile that was written and not published (fence.proxy.async)");
    }
  }
}

// --- sums ---

ThreadProducts::Sums* find_sums(ThreadProducts& products, const Registers& registers) {
  for (ThreadProducts::Sums& sums : products.sums) {
    if (sums.registers.places == registers.places) return &sums;
  }
  return nullptr;
}

void take_sums(ThreadProducts& products, const TileProduct& product) {
  if (find_sums(products, product.sums) != nullptr) return;
  ThreadProducts::Sums& sums = products.sums.emplace_back();
  sums.registers = product.sums;
  for (size_t i = 0; i < product.num_columns / 2; ++i) {
    sums.values.push_back(std::bit_cast<float>(product.sums.get(i)));
    product.sums.set(i, kUnderWay);
  }
}

bool is_under_way(const ThreadProducts& products, const Registers& registers) {
  const auto uses = [&](const TileProduct& product) {
    return product.sums.places == registers.places;
  };
  return std::ranges::any_of(products.open, uses) ||
         std::ranges::any_of(products.groups, [&](const std::vector<TileProduct>& group) {
           return std::ranges::any_of(group, uses);
         });
}

void give_back_sums(ThreadProducts& products) {
  std::erase_if(products.sums, [&](const ThreadProducts::Sums& sums) {
    if (is_under_way(products, sums.registers)) return false;
    for (size_t i = 0; i < sums.values.size(); ++i) {
      if (sums.registers.get(i) != kUnderWay) {
        fail("wgmma: a sum was written before it was waited for");
      }
      sums.registers.set(i, std::bit_cast<uint32_t>(sums.values[i]));
    }
    return true;
  });
}

// --- products ---

float number(uint16_t bits) {
  return std::bit_cast<float>(uint32_t{bits} << 16);
}

void read_unit(uint32_t offset, float* numbers) {
  uint16_t bits[kUnitElements];
  std::memcpy(bits, shared_at(offset), sizeof bits);
  for (size_t i = 0; i < kUnitElements; ++i) numbers[i] = number(bits[i]);
}

/// What a product computes with: too much for the stack of a fiber.
struct Numbers {
  static constexpr size_t kMostColumns = 256;
  float a[kRows][kDepth];
  float b[kDepth][kMostColumns];
  float d[kRows][kMostColumns];
};

/// The product that each of the 128 threads asked for as its `index`th of its first group.
class Landing {
 public:
  Landing(std::span<BlockThread* const> threads, size_t index)
      : threads_(threads), index_(index), first_(product_of(*threads[0])), x_(numbers()) {}

  void run() {
    for (const BlockThread* thread : threads_) check_alike(product_of(*thread));
    if (hash_of(units_of(first_)) != first_.content) {
      fail("wgmma: a tile was written while products read it");
    }
    read_a();
    read_b();
    multiply();
    for (size_t t = 0; t < kThreads; ++t) deal_out(*threads_[t], t);
  }

 private:
  static Numbers& numbers() {
    thread_local const std::unique_ptr<Numbers> numbers = std::make_unique<Numbers>();
    return *numbers;
  }
  const TileProduct& product_of(const BlockThread& thread) const {
    const auto& groups = thread.products.groups;
    if (groups.empty() || index_ >= groups.front().size()) refuse();
    return groups.front()[index_];
  }
  [[noreturn]] static void refuse() {
    fail("wgmma: threads of a warpgroup ask for other products");
  }

  void check_alike(const TileProduct& other) const {
    if (other.num_columns != first_.num_columns || other.b_tile != first_.b_tile ||
        other.a_tile != first_.a_tile || other.by_columns != first_.by_columns ||
        other.adds != first_.adds || other.held_a.places.size() != first_.held_a.places.size()) {
      refuse();
    }
    for (size_t i = 0; other.keeps_a && i < 4; ++i) {
      if (other.held_a.get(i) != other.a[i]) {
        fail("wgmma: a held operand was written before it was waited for");
      }
    }
  }

  void read_a() {
    if (first_.held_a.places.empty()) {
      const Tile tile(first_.a_tile);
      for (size_t row = 0; row < kRows; ++row) {
        for (size_t half = 0; half < 2; ++half) {
          read_unit(tile.row_unit(row, half), &x_.a[row][half * kUnitElements]);
        }
      }
      return;
    }
    for (size_t t = 0; t < kThreads; ++t) {  // as mma.m16n8k16, a warp 16 rows
      const TileProduct& product = product_of(*threads_[t]);
      const size_t row = t / 32 * 16 + t % 32 / 4;
      for (size_t i = 0; i < 4; ++i) {
        for (size_t half = 0; half < 2; ++half) {
          x_.a[row + i % 2 * 8][t % 4 * 2 + i / 2 * 8 + half] =
              number(static_cast<uint16_t>(product.a[i] >> (16 * half)));
        }
      }
    }
  }

  void read_b() {
    const Tile tile(first_.b_tile);
    if (first_.by_columns) {
      for (size_t k = 0; k < kDepth; ++k) {
        for (size_t j = 0; j < first_.num_columns / 8; ++j) {
          read_unit(tile.column_unit(k, j), &x_.b[k][j * kUnitElements]);
        }
      }
      return;
    }
    for (size_t n = 0; n < first_.num_columns; ++n) {
      float row[kDepth];
      for (size_t half = 0; half < 2; ++half) {
        read_unit(tile.row_unit(n, half), row + half * kUnitElements);
      }
      for (size_t k = 0; k < kDepth; ++k) x_.b[k][n] = row[k];
    }
  }

  void multiply() {
    for (size_t row = 0; row < kRows; ++row) {
      float* const d = x_.d[row];
      std::fill_n(d, first_.num_columns, 0.0F);
      for (size_t k = 0; k < kDepth; ++k) {
        for (size_t n = 0; n < first_.num_columns; ++n) d[n] += x_.a[row][k] * x_.b[k][n];
      }
    }
  }

  void deal_out(BlockThread& thread, size_t t) const {
    std::vector<float>& values = find_sums(thread.products, product_of(thread).sums)->values;
    for (size_t i = 0; i < values.size(); ++i) {
      const size_t row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
      const float sum = x_.d[row][i / 4 * 8 + t % 4 * 2 + i % 2];
      values[i] = first_.adds ? values[i] + sum : sum;
    }
  }

  std::span<BlockThread* const> threads_;
  size_t index_;
  const TileProduct& first_;
  Numbers& x_;
};

void land_first_group(std::span<BlockThread* const> threads) {
  const size_t count = threads[0]->products.groups.front().size();
  for (size_t i = 0; i < count; ++i) Landing(threads, i).run();
  for (BlockThread* thread : threads) {
    if (thread->products.groups.front().size() != count) {
      fail("wgmma: threads of a warpgroup ask for other products");
    }
    thread->products.groups.pop_front();
  }
}

}  // namespace

uint32_t Registers::get(size_t i) const {
  uint32_t bits = 0;
  std::memcpy(&bits, places[i], sizeof bits);
  return bits;
}

void Registers::set(size_t i, uint32_t bits) const {
  std::memcpy(places[i], &bits, sizeof bits);
}

uint64_t describe_tile(const void* tile, int panel_bytes) {
  const auto offset = static_cast<uint64_t>(static_cast<const unsigned char*>(tile) -
                                            static_cast<const unsigned char*>(dynamic_shared()));
  if (offset % 1024 != 0) fail("describe_tile: not a multiple of 1024");
  return kSwizzle128 << kSwizzle | uint64_t{1024 / kUnitBytes} << kStride |
         static_cast<uint64_t>(panel_bytes / static_cast<int>(kUnitBytes)) << kLeading |
         offset / kUnitBytes;
}

void publish_to_products() {
  Block::current().publish();
}

void products_begin() {
  Block::current().thread().products.has_begun = true;
}

void products_commit() {
  ThreadProducts& products = Block::current().thread().products;
  products.groups.push_back(std::move(products.open));
  products.open.clear();
}

void multiply_tiles(TileProduct product) {
  ThreadProducts& products = Block::current().thread().products;
  if (!products.has_begun) fail("wgmma: registers were not ordered before it (wgmma.fence)");
  for (size_t i = 0; i < product.held_a.places.size(); ++i) product.a[i] = product.held_a.get(i);
  const bool is_first = running->linear % kThreads == 0;
  if (is_first || current_observer() != nullptr) {
    const std::vector<uint32_t> units = units_of(product);
    tell_of_reads(units, __builtin_return_address(0));
    if (is_first) {
      check_published(units);
      product.content = hash_of(units);
    }
  }
  take_sums(products, product);
  products.open.push_back(std::move(product));
}

void products_wait(int pending, Place place) {
  ThreadProducts& own = Block::current().thread().products;
  // From here on registers may change.
  own.has_begun = false;
  if (own.groups.size() <= static_cast<size_t>(pending)) return;
  if (current_observer() != nullptr) {
    const void* code = __builtin_return_address(0);
    for (size_t g = 0; g + static_cast<size_t>(pending) < own.groups.size(); ++g) {
      for (const TileProduct& product : own.groups[g]) tell_of_reads(units_of(product), code);
    }
  }
  Block::current().meet_as_warpgroup("wgmma.wait_group",
                                     place,
                                     static_cast<size_t>(pending),
                                     [](std::span<BlockThread* const> threads, size_t left) {
                                       while (threads[0]->products.groups.size() > left)
                                         land_first_group(threads);
                                     });
  give_back_sums(own);
}

void note_written(const void* address, size_t bytes) {
  Block::current().note_written(address, bytes);
}

}  // namespace prescript::emulator
