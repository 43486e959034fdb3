#include "base/event_file.h"

#include <gtest/gtest.h>

#include "support/temporary_directory.h"

namespace prescript {
namespace {

TEST(Crc32c, MatchesKnownVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720 B.4
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(EventFile, HasTheBytesThatTensorBoardWrites) {
  // By tensorboard 2.x: RecordWriter over Event(wall_time=1700000000.5,
  // file_version="brain.Event:2") and Event(wall_time=1700000001.25, step=300,
  // summary=[Value(tag="loss", simple_value=2.5)]).
  constexpr std::string_view kExpected =
      "1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110"
      "1b000000000000001a0d9e130900005040fc54d94110ac022a0d0a0b0a046c6f737315000020404f7fc7b2";
  const TemporaryDirectory dir;
  EventFile(dir / "events", 0, 1700000000.5).add_scalar("loss", 300, 2.5f, 1700000001.25);
  std::string hex;
  for (const char c : bytes_of_file(dir / "events")) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[c & 15];
  }
  EXPECT_EQ(hex, kExpected);
}

TEST(EventFile, ResumedFileEqualsAnUninterruptedOne) {
  const TemporaryDirectory dir;
  EventFile whole(dir / "whole", 0, 1);
  whole.add_scalar("loss", 1, 2.0f, 3);
  whole.add_scalar("loss", 2, 1.0f, 4);
  uint64_t checkpoint = 0;
  {
    EventFile killed(dir / "resumed", 0, 1);
    killed.add_scalar("loss", 1, 2.0f, 3);
    checkpoint = killed.bytes();
    killed.add_scalar("loss", 2, 9.0f, 4);
  }
  EventFile(dir / "resumed", checkpoint, 99).add_scalar("loss", 2, 1.0f, 4);
  EXPECT_EQ(bytes_of_file(dir / "resumed"), bytes_of_file(dir / "whole"));
}

}  // namespace
}  // namespace prescript
