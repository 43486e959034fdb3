#include "recipe/given_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "recipe/nearest_path.h"

namespace prescript {
namespace {

const std::vector<KnownKey> kKeys = {
    {"seed"}, {"tasks.*.limit"}, {"tasks.*.few.count"}, {"dirs.*"}};

TEST(GivenValues, AStarStandsForAnyName) {
  EXPECT_TRUE(is_known_key("tasks.a.limit", kKeys));
  EXPECT_TRUE(is_known_key("dirs.x-1_y", kKeys));
  for (const char* other : {"tasks.a",
                            "tasks..limit",
                            "tasks.a.b.limit",
                            "dirs",
                            "dirs.x.y",
                            "dirs.",
                            "tasks.*.limit",
                            "seed.x",
                            ""}) {
    EXPECT_FALSE(is_known_key(other, kKeys)) << other;
  }
  for (const char* section : {"tasks", "tasks.a", "tasks.a.few", "dirs"}) {
    EXPECT_TRUE(is_known_section(section, kKeys)) << section;
  }
  for (const char* other : {"tasks.a.limit", "seed", "tasks.a.", "task", "dirs.x"}) {
    EXPECT_FALSE(is_known_section(other, kKeys)) << other;
  }
}

TEST(GivenValues, NamesAreShortWords) {
  for (const char* name : {"a", "MedQA-4", "demo_2"}) EXPECT_TRUE(is_recipe_name(name)) << name;
  for (const char* other : {"", "1a", "-a", "a.b", "a/b", "a b", "\xc3\xa4"}) {
    EXPECT_FALSE(is_recipe_name(other)) << other;
  }
  EXPECT_FALSE(is_recipe_name(std::string(65, 'a')));
}

TEST(GivenValues, TheNearestKeyKeepsTheNameThatWasGiven) {
  EXPECT_EQ(nearest_path("tasks.medqa.limt", kKeys), "tasks.medqa.limit");
  EXPECT_EQ(nearest_path("limit", kKeys), "tasks.NAME.limit");
  EXPECT_EQ(nearest_path("sed", kKeys), "seed");
}

}  // namespace
}  // namespace prescript
