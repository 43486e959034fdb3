#include "io/base_hash.h"

#include <chrono>
#include <cstdlib>

#include <gtest/gtest.h>

#include "base/hash.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

class BaseHash : public ::testing::Test {
 protected:
  BaseHash() { ::setenv("XDG_CACHE_HOME", (dir / "cache").c_str(), 1); }
  ~BaseHash() override { ::unsetenv("XDG_CACHE_HOME"); }

  /// A file that was last written long ago, so that its hash may be remembered.
  std::string old_file(const std::string& name, const std::string& bytes) {
    dir.write(name, bytes);
    fs::last_write_time(dir / name, fs::file_time_type::clock::now() - std::chrono::hours(1));
    return dir / name;
  }
  /// Replaces every remembered hash, so that its use shows.
  int forge_cache() {
    int entries = 0;
    for (const auto& entry : fs::directory_iterator(dir / "cache/prescript")) {
      std::ofstream(entry.path()) << std::string(64, 'f');
      ++entries;
    }
    return entries;
  }

  TemporaryDirectory dir;
};

TEST_F(BaseHash, OfOneFileIsItsSha256) {
  EXPECT_EQ(base_hash({old_file("a", "abc")}), sha256_hex(std::string_view("abc")));
}

TEST_F(BaseHash, OfSeveralFilesDependsOnEachAndOnTheirOrder) {
  const std::string a = old_file("a", "abc");
  const std::string b = old_file("b", "def");
  EXPECT_EQ(base_hash({a, b}),
            sha256_hex(sha256_hex(std::string_view("abc")) + sha256_hex(std::string_view("def"))));
  EXPECT_NE(base_hash({a, b}), base_hash({b, a}));
  EXPECT_THROW(base_hash({}), ContractError);
}

TEST_F(BaseHash, IsRememberedUntilTheFileChanges) {
  const std::string a = old_file("a", "abc");
  base_hash({a});
  ASSERT_EQ(forge_cache(), 1);
  EXPECT_EQ(base_hash({a}), std::string(64, 'f'));
  // The same inode and size, and the time of modification set back: only the time of change tells.
  const auto time = fs::last_write_time(a);
  std::ofstream(a) << "xyz";
  fs::last_write_time(a, time);
  EXPECT_EQ(base_hash({a}), sha256_hex(std::string_view("xyz")));
}

TEST_F(BaseHash, OfAFileThatJustChangedIsNotRemembered) {
  base_hash({dir.write("a", "abc")});
  EXPECT_FALSE(fs::exists(dir / "cache/prescript"));
}

TEST_F(BaseHash, BrokenCacheIsNoError) {
  const std::string a = old_file("a", "abc");
  const std::string expected = sha256_hex(std::string_view("abc"));
  base_hash({a});
  for (const auto& entry : fs::directory_iterator(dir / "cache/prescript"))
    std::ofstream(entry.path()) << "nonsense";
  EXPECT_EQ(base_hash({a}), expected);
  fs::remove_all(dir / "cache");
  dir.write("cache", "a file where the directory should be");
  EXPECT_EQ(base_hash({a}), expected);
}

TEST_F(BaseHash, CacheIsInTheHomeDirectoryByDefault) {
  const std::string home = std::getenv("HOME") == nullptr ? "" : std::getenv("HOME");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", dir.path().c_str(), 1);
  base_hash({old_file("a", "abc")});
  ::setenv("HOME", home.c_str(), 1);
  EXPECT_TRUE(fs::exists(dir / ".cache/prescript"));
}

TEST_F(BaseHash, MissingFileIsTheUsersMistake) {
  expect_input_error(ExitCode::kModel, "absent: cannot open", [&] { base_hash({dir / "absent"}); });
}

}  // namespace
}  // namespace prescript
