#pragma once
// A tiny model on the disk whose files a test may change.

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "support/temporary_directory.h"
#include "support/tiny_model.h"

namespace prescript {

class ChangeableBase : public testing::Test {
 protected:
  ChangeableBase() { write_tiny_model(dir()); }

  std::string dir() const { return directory_ / "tiny"; }
  void write(const std::string& name, const std::string& text) const {
    directory_.write("tiny/" + name, text);
  }
  void remove(const std::string& name) const { std::filesystem::remove(dir() + "/" + name); }

 private:
  TemporaryDirectory directory_;
};

}  // namespace prescript
