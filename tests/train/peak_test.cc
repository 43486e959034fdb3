#include "train/peak.h"

#include <cmath>

#include <gtest/gtest.h>

#include "support/fake_card.h"

namespace prescript {
namespace {

TEST(Peak, OfTheProcessorAndOfACardIsNearWhatProductsReach) {
  const auto processor = make_cpu_ops(1);
  FakeCard card;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const double of_processor = measure_peak(*processor, dtype);
    const double of_card = measure_peak(card, dtype);
    EXPECT_GT(of_processor, 1e8);
    EXPECT_TRUE(std::isfinite(of_card));
    // The same threads, by products where the other takes loops in registers.
    EXPECT_GT(of_card, of_processor / 20);
    EXPECT_LT(of_card, of_processor * 5);
  }
}

}  // namespace
}  // namespace prescript
