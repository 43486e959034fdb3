#include "base/seal.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/hash.h"

namespace prescript {
namespace {

std::string unsealed() {
  return "{\"a\": 1,\n \"digest\": \"" + std::string(kNoDigest) + "\"}\nand bytes \x01\x02";
}

TEST(Seal, DigestIsTheHashOfTheBytesWithZerosInItsPlace) {
  const std::string file = sealed(unsealed());
  EXPECT_NE(file.find(sha256_hex(std::string_view(unsealed()))), std::string::npos);
  EXPECT_EQ(file.size(), unsealed().size());
  EXPECT_TRUE(seal_is_intact(file));
}

TEST(Seal, EveryFlippedBitAndEveryCutIsFound) {
  const std::string file = sealed(unsealed());
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(seal_is_intact(damaged)) << "bit " << bit;
  }
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(seal_is_intact(std::string_view(file).substr(0, size))) << size;
  }
  EXPECT_FALSE(seal_is_intact(file + " "));
}

TEST(Seal, BytesWithoutADigestAreNotSealed) {
  EXPECT_FALSE(seal_is_intact(""));
  EXPECT_FALSE(seal_is_intact("{\"digest\": 3}"));
  EXPECT_THROW(sealed("{}"), ContractError);
  EXPECT_THROW(sealed(sealed(unsealed())), ContractError);
}

}  // namespace
}  // namespace prescript
