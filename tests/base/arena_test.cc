#include "base/arena.h"

#include <cstdlib>
#include <memory>

#include <gtest/gtest.h>

namespace prescript {
namespace {

TEST(Arena, MeasuresWhatItLaterHandsOut) {
  const auto layout = [](Arena& arena) {
    arena.take(3, 5, DType::kBFloat16);
    return arena.take(2, 2, DType::kFloat64);
  };
  Arena measuring;
  layout(measuring);
  EXPECT_EQ(measuring.used(), 128u);

  const std::unique_ptr<void, void (*)(void*)> block(std::aligned_alloc(64, measuring.used()),
                                                     std::free);
  Arena arena(block.get(), measuring.used());
  const Tensor second = layout(arena);
  EXPECT_EQ(static_cast<std::byte*>(second.data) - static_cast<std::byte*>(block.get()), 64);
  EXPECT_THROW(arena.take(1, 1, DType::kFloat32), ContractError);
}

TEST(Arena, HasRoomForWeightsInWhateverLayout) {
  Arena arena;
  const Weight weight = arena.take_weight(33, 3, DType::kFloat32);
  EXPECT_EQ(weight.rows, 33);
  EXPECT_EQ(weight.cols, 3);
  EXPECT_EQ(weight.bytes(), 64U * 4 * 4 + 2048);
  EXPECT_EQ(arena.used(), weight.bytes());
}

}  // namespace
}  // namespace prescript
