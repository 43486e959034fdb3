#pragma once
// Products of a warpgroup (wgmma) as a thread asked for them, until they land. cuda/portable.cuh
// says what they compute; here is when.
//
// Nothing is computed before a wait: until then sums are NaN, and tiles must stay as they were. A
// wait fails where a tile or a sum was written meanwhile.

#include <cstdint>
#include <deque>
#include <vector>

#include "emulator/runtime.h"

namespace prescript::emulator {

/// Registers of a thread, wherever they are kept.
struct Registers {
  std::vector<void*> places;

  uint32_t get(size_t i) const;
  void set(size_t i, uint32_t bits) const;
};

/// d[64, num_columns] = a · b + (adds ? d : 0), of depth 16.
struct TileProduct {
  size_t num_columns = 0;
  Registers sums;        // num_columns / 2
  Registers held_a;      // 4, or none: then a is a tile
  bool keeps_a = false;  // whether held_a can be looked at when the product lands
  uint64_t a_tile = 0;
  uint64_t b_tile = 0;
  bool by_columns = false;
  bool adds = false;
  Place place;

  uint32_t a[4] = {};
  uint64_t content = 0;  // a hash of the tiles, which the first thread of a group takes
};

/// What a thread has under way.
struct ThreadProducts {
  struct Sums {
    Registers registers;
    std::vector<float> values;
  };
  std::vector<TileProduct> open;
  std::deque<std::vector<TileProduct>> groups;
  std::vector<Sums> sums;
  bool has_begun = false;
  std::vector<uint32_t> written;  // 16-byte units of shared memory, not yet published
};

/// The descriptor of a tile at `tile`, in dynamic shared memory.
uint64_t describe_tile(const void* tile, int panel_bytes);

void publish_to_products();
void products_begin();
void products_commit();
void products_wait(int pending, Place place);
void multiply_tiles(TileProduct product);

/// That the thread wrote to memory other than as products do.
void note_written(const void* address, size_t bytes);

}  // namespace prescript::emulator
