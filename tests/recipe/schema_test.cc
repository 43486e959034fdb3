#include "recipe/schema.h"

#include <fstream>
#include <set>

#include <gtest/gtest.h>

namespace prescript {
namespace {

/// The cells of a row of docs/RECIPES.md: key, meaning, unit, allowed, default; without backquotes.
using Row = std::vector<std::string>;

std::vector<Row> documented_rows() {
  std::ifstream document(PRESCRIPT_SOURCE_DIR "/docs/RECIPES.md");
  std::vector<Row> rows;
  for (std::string line; std::getline(document, line);) {
    if (!line.starts_with("| `")) continue;
    Row row;
    for (size_t begin = 1; begin < line.size();) {
      const size_t end = line.find('|', begin);
      std::string cell = line.substr(begin + 1, end - begin - 2);
      if (cell.starts_with('`')) cell = cell.substr(1, cell.rfind('`') - 1);
      row.push_back(cell);
      begin = end + 1;
    }
    rows.push_back(row);
  }
  return rows;
}

TEST(Schema, DocumentHoldsEveryKeyItsRangeAndItsDefault) {
  const std::vector<Row> rows = documented_rows();
  const auto& schema = recipe_schema();
  ASSERT_EQ(rows.size(), schema.size());
  for (size_t i = 0; i < schema.size(); ++i) {
    SCOPED_TRACE(schema[i].path);
    ASSERT_EQ(rows[i].size(), 5u);
    EXPECT_EQ(rows[i][0], schema[i].path);
    EXPECT_GT(rows[i][1].size(), 10u) << "no meaning";
    EXPECT_EQ(rows[i][3], schema[i].allowed);
    EXPECT_EQ(rows[i][4], schema[i].required ? "required" : schema[i].write(Recipe()));
  }
}

TEST(Schema, KeysOfAGroupStandTogether) {
  std::set<std::string> seen;
  std::string open;
  for (const Setting& setting : recipe_schema()) {
    const std::string group = setting.path.substr(0, setting.path.rfind('.') + 1);
    if (group == open) continue;
    EXPECT_TRUE(seen.insert(group).second || group.empty()) << setting.path;
    open = group;
  }
}

TEST(Schema, GroupsAreNoKeys) {
  for (const char* group :
       {"weights", "soft_prompt", "soft_prompt.init", "data", "training", "search"}) {
    EXPECT_TRUE(is_known_section(group, recipe_keys())) << group;
    EXPECT_EQ(find_setting(group), nullptr) << group;
  }
  for (const char* other : {"", "output", "soft", "training.steps", "training.", "init"}) {
    EXPECT_FALSE(is_known_section(other, recipe_keys())) << other;
  }
}

TEST(Schema, WhatASettingNeedsIsAValueOfAnotherKey) {
  int num_needing = 0;
  for (const Setting& setting : recipe_schema()) {
    if (setting.needs_path.empty()) continue;
    ++num_needing;
    const Setting* needed = find_setting(setting.needs_path);
    ASSERT_NE(needed, nullptr) << setting.path;
    YamlValue value;
    value.kind = YamlValue::Kind::kScalar;
    value.scalar = setting.needs_value;
    Recipe recipe;
    const bool is_absence = setting.needs_value == "null";
    ASSERT_TRUE(is_absence || needed->read(value, recipe)) << setting.path;
    EXPECT_TRUE(has_effect(setting, recipe)) << setting.path;
  }
  EXPECT_EQ(num_needing, 7);
}

}  // namespace
}  // namespace prescript
