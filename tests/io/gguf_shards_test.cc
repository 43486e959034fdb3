// Shards of a model: io/gguf_shards.cc.

#include <filesystem>

#include <gtest/gtest.h>

#include "io/tensor_source.h"
#include "model/gguf_bytes.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

using Paths = std::vector<std::string>;

/// Three shards with the tensors a and b, c, d; a test changes one before it opens them.
class GgufShards : public ::testing::Test {
 protected:
  GgufShards() : shards_(3) {
    for (uint32_t i = 0; i < 3; ++i) {
      shards_[i].set("split.no", i);
      shards_[i].set("split.count", uint32_t{3});
      shards_[i].set("split.tensors.count", uint32_t{4});
    }
    shards_[0].set("general.architecture", std::string("llama"));
    add_tensor(0, "a", 1);
    add_tensor(0, "b", 2);
    add_tensor(1, "c", 3);
    add_tensor(2, "d", 4);
  }

  void add_tensor(size_t shard, const std::string& name, float value) {
    const std::string bytes(reinterpret_cast<const char*>(&value), sizeof value);
    shards_[shard].set_tensor(name, {1}, GgmlType::kF32, bytes);
  }

  std::string path(int number) const {
    return directory_ / ("m-0000" + std::to_string(number) + "-of-00003.gguf");
  }

  void write() const {
    for (int i = 0; i < 3; ++i) {
      directory_.write(std::filesystem::path(path(i + 1)).filename(), shards_[i].bytes());
    }
  }

  void expect_refused(const std::string& message) const {
    write();
    expect_input_error(ExitCode::kModel, message, [&] { GgufFile::open(path(1)); });
  }

  TemporaryDirectory directory_;
  std::vector<GgufBytes> shards_;
};

TEST_F(GgufShards, AreOneModel) {
  write();
  const auto file = GgufFile::open(path(1));
  EXPECT_EQ(file->string("general.architecture"), "llama");
  EXPECT_EQ(file->paths(), (Paths{path(1), path(2), path(3)}));
  EXPECT_EQ(file->find_tensor("d")->name, "d");
  const auto source = open_gguf_tensors(file);
  EXPECT_EQ(source->path(), path(1));
  EXPECT_EQ(source->files(), file->paths());
  std::string names;
  for (const TensorInfo& tensor : source->list()) names += tensor.name;
  EXPECT_EQ(names, "abcd");
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(source->read_all(std::string(1, static_cast<char>('a' + i))),
              std::vector<float>{static_cast<float>(i + 1)});
  }
}

TEST_F(GgufShards, TheFirstMayHoldMetadataAlone) {
  shards_[0] = GgufBytes();
  shards_[0].set("split.no", uint32_t{0});
  shards_[0].set("split.count", uint32_t{3});
  for (GgufBytes& shard : shards_) shard.set("split.tensors.count", uint32_t{2});
  write();
  EXPECT_EQ(GgufFile::open(path(1))->tensors().size(), 2u);
}

TEST_F(GgufShards, OneShardIsAFile) {
  shards_[0].set("split.count", uint32_t{1});
  const std::string alone = directory_.write("alone.gguf", shards_[0].bytes());
  EXPECT_EQ(GgufFile::open(alone)->paths(), Paths{alone});
}

TEST_F(GgufShards, AnotherThanTheFirstNamesTheFirst) {
  write();
  for (const int number : {2, 3}) {
    const auto open = [&] { GgufFile::open(path(number)); };
    expect_input_error(ExitCode::kModel, path(number), open);
    expect_input_error(ExitCode::kModel, "name the first, " + path(1), open);
  }
}

TEST_F(GgufShards, AMissingOneIsNamed) {
  write();
  std::filesystem::remove(path(2));
  const auto open = [&] { GgufFile::open(path(1)); };
  expect_input_error(ExitCode::kModel, path(2) + ": this shard of the model is missing", open);
  expect_input_error(ExitCode::kModel, "beside " + path(1), open);
}

TEST_F(GgufShards, ARenamedOneSaysWhatItsNameMustBe) {
  const std::string renamed = directory_.write("model.gguf", shards_[0].bytes());
  expect_input_error(ExitCode::kModel,
                     renamed +
                         ": split.no: this is shard 1 of 3 of a model, but the file is not "
                         "called NAME-00001-of-00003.gguf",
                     [&] { GgufFile::open(renamed); });
}

TEST_F(GgufShards, OneOfAnotherCountIsRefused) {
  shards_[1].set("split.count", uint32_t{4});
  expect_refused(path(2) + ": split.count is 4, not 3: no shard of the model of " + path(1));
}

TEST_F(GgufShards, OneInTheNameOfAnotherIsRefused) {
  std::swap(shards_[1], shards_[2]);
  expect_refused(path(2) + ": split.no is 2, not 1");
}

TEST_F(GgufShards, OneOfAModelOfMoreTensorsIsRefused) {
  shards_[2].set("split.tensors.count", uint32_t{5});
  expect_refused(path(3) + ": split.tensors.count is 5, not 4");
}

TEST_F(GgufShards, AFileThatIsNoShardIsRefused) {
  shards_[2].erase("split.no");
  expect_refused(path(3) + ": split.no: missing");
}

TEST_F(GgufShards, ATensorThatComesTwiceIsRefused) {
  add_tensor(2, "a", 1);
  expect_refused(path(3) + ": the tensor \"a\" is in an earlier shard too");
}

TEST_F(GgufShards, TooFewAndTooManyTensorsAreRefused) {
  add_tensor(1, "e", 5);
  expect_refused("split.tensors.count: 4 tensors are in the model, but its shards hold 5");
  for (GgufBytes& shard : shards_) shard.set("split.tensors.count", uint32_t{6});
  expect_refused(path(1) + ": split.tensors.count: 6 tensors are in the model");
}

TEST_F(GgufShards, ImpossibleNumbersAreRefused) {
  shards_[0].set("split.no", uint32_t{3});
  expect_refused("split.no: 3 is not in [0, 2]");
  shards_[0].set("split.count", uint32_t{100000});
  expect_refused("split.count: 100000 is not in [0, 99999]");
}

}  // namespace
}  // namespace prescript
