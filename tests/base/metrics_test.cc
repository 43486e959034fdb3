#include "base/metrics.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

TEST(MetricsLine, KeepsTheOrderOfItsKeys) {
  MetricsLine line;
  line.add("step", 3)
      .add("loss", 0.1f)
      .add("name", "a\"b\\c\n\x01")
      .add("best", true)
      .add("bytes", uint64_t{1} << 63);
  EXPECT_EQ(
      line.json(),
      R"({"step": 3, "loss": 0.1, "name": "a\"b\\c\u000a\u0001", "best": true, "bytes": 9223372036854775808})");
  EXPECT_EQ(MetricsLine().json(), "{}");
}

TEST(MetricsLine, NumbersReadBackToTheSameBits) {
  RandomStream stream(1, "test");
  for (int i = 0; i < 1000; ++i) {
    const double value =
        stream.normal() * std::pow(10.0, static_cast<double>(stream.below(600)) - 300);
    const auto parsed = nlohmann::json::parse(MetricsLine().add("x", value).json());
    ASSERT_EQ(parsed["x"].get<double>(), value);
    const auto narrow = static_cast<float>(stream.normal());
    ASSERT_EQ(nlohmann::json::parse(MetricsLine().add("x", narrow).json())["x"].get<float>(),
              narrow);
  }
}

TEST(MetricsLine, NumbersThatAreNotFiniteBecomeNull) {
  MetricsLine line;
  line.add("a", std::numeric_limits<double>::quiet_NaN())
      .add("b", -std::numeric_limits<float>::infinity());
  EXPECT_EQ(line.json(), R"({"a": null, "b": null})");
}

TEST(MetricsFile, HoldsOneObjectALineAndCanBeCutBack) {
  const TemporaryDirectory dir;
  uint64_t after_first = 0;
  {
    MetricsFile file(dir / "metrics.jsonl");
    file.append(MetricsLine().add("step", 1));
    after_first = file.bytes();
    file.append(MetricsLine().add("step", 2));
  }
  MetricsFile(dir / "metrics.jsonl", after_first).append(MetricsLine().add("step", 3));
  EXPECT_EQ(bytes_of_file(dir / "metrics.jsonl"), "{\"step\": 1}\n{\"step\": 3}\n");
}

}  // namespace
}  // namespace prescript
