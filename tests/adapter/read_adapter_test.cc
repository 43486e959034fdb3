#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapter/small_adapter.h"
#include "support/damage.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

namespace fs = std::filesystem;

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/adapter/";

class ReadAdapter : public testing::Test {
 protected:
  /// Expects a directory of these files to be refused.
  void refuses(const std::map<std::string, std::string>& files, const std::string& message) {
    fs::remove_all(dir_ / "a");
    const std::string path = write_files(dir_, "a", files);
    expect_input_error(ExitCode::kModel, message, [&] { read_adapter(path); });
  }

  /// PEFT's own two files.
  static std::map<std::string, std::string> peft_files() {
    return {
        {"adapter_config.json", bytes_of_file(kGolden + "random/adapter_config.json")},
        {"adapter_model.safetensors", bytes_of_file(kGolden + "random/adapter_model.safetensors")}};
  }

  TemporaryDirectory dir_;
};

TEST_F(ReadAdapter, ReadsWhatPeftWrote) {
  const Adapter adapter = read_adapter(kGolden + "random");
  EXPECT_FALSE(adapter.has_prescript_json);
  EXPECT_EQ(adapter.identity.base_hash, "");
  EXPECT_EQ(adapter.prompt.num_virtual_tokens, 5);
  EXPECT_EQ(adapter.prompt.hidden_size, 8);
  float first = 0;
  std::ifstream(kGolden + "values.txt") >> first;
  EXPECT_EQ(adapter.prompt.values_PD.at(0), first);
}

TEST_F(ReadAdapter, FilesOfOthersInTheDirectoryAreIgnored) {
  auto files = adapter_files(small_adapter());
  files["README.md"] = "mine";
  files["adapter_model.bin"] = "old";
  EXPECT_EQ(read_adapter(write_files(dir_, "a", files)).prompt.values_PD,
            small_adapter().prompt.values_PD);
}

TEST_F(ReadAdapter, AnyFlippedBitIsExitFour) {
  for (const auto position : {PromptPosition::kStart, PromptPosition::kBeforeQuestion}) {
    const auto files = adapter_files(small_adapter(position));
    const std::string path =
        write_files(dir_, position == PromptPosition::kStart ? "a" : "b", files);
    ASSERT_NO_THROW(read_adapter(path));
    for (const auto& [name, bytes] : files) {
      // In place: replacing the file for each of so many bits would take minutes.
      std::fstream file(fs::path(path) / name, std::ios::binary | std::ios::in | std::ios::out);
      for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        const auto write_byte = [&](char byte) {
          file.seekp(static_cast<std::streamoff>(bit / 8)).put(byte).flush();
        };
        write_byte(static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8)));
        try {
          read_adapter(path);
          ADD_FAILURE() << name << ": nobody noticed that bit " << bit << " was flipped";
        } catch (const InputError& error) {
          EXPECT_EQ(error.code(), ExitCode::kModel)
              << name << ", bit " << bit << ": " << error.what();
        }
        write_byte(bytes[bit / 8]);
      }
    }
    ASSERT_NO_THROW(read_adapter(path));
  }
}

TEST_F(ReadAdapter, TruncatedFilesAreExitFour) {
  const auto files = adapter_files(small_adapter());
  for (const auto& [name, bytes] : files) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      auto cut = files;
      cut[name] = bytes.substr(0, size);
      refuses(cut, name);
    }
  }
}

TEST_F(ReadAdapter, DamagedFilesOfPeftLeadToSuccessOrAClearError) {
  for (uint64_t i = 0; i < 2000; ++i) {
    auto files = peft_files();
    auto& bytes = files[i % 2 == 0 ? "adapter_config.json" : "adapter_model.safetensors"];
    bytes = damaged(bytes, i, bytes.size());
    try {
      EXPECT_FALSE(read_adapter(write_files(dir_, "a", files)).prompt.values_PD.empty());
    } catch (const InputError& error) {
      EXPECT_EQ(error.code(), ExitCode::kModel) << error.what();
    }
  }
}

TEST_F(ReadAdapter, AChangedFileIsNamed) {
  auto files = adapter_files(small_adapter());
  Adapter other = small_adapter();
  other.prompt.values_PD[0] += 1;
  other.init_text = "other";
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    auto mixed = files;
    mixed[name] = adapter_files(other).at(name);
    refuses(mixed, std::string(name) + ": the file was changed");
    mixed.erase(name);
    refuses(mixed, "\"" + std::string(name) + "\" is missing");
  }
}

TEST_F(ReadAdapter, ForgedListsOfFilesAreRefused) {
  const auto files = adapter_files(small_adapter());
  const auto forged = [&](const std::function<void(nlohmann::json&)>& change) {
    auto copy = files;
    copy["prescript.json"] = forged_json(files.at("prescript.json"), change);
    return copy;
  };
  refuses(forged([](auto& j) { j["files"]["extra.txt"] = std::string(64, '0'); }),
          "\"extra.txt\" is missing");
  for (const char* name : {"../other", "/etc/passwd", "..", ".", ""}) {
    refuses(forged([&](auto& j) { j["files"][name] = std::string(64, '0'); }),
            "is not the name of a file in the same directory");
  }
  refuses(forged([](auto& j) { j["files"].erase("adapter_model.safetensors"); }),
          "files: adapter_model.safetensors is missing");
  refuses(forged([](auto& j) { j["position"] = "after_bos"; }),
          "files: soft_prompt.safetensors is missing");
  refuses(forged([](auto& j) { j["num_virtual_tokens"] = int64_t{1} << 62; }), "has shape [2, 3]");
  refuses(forged([](auto& j) { j["hidden_size"] = 4; }), "has shape [2, 3]");
}

TEST_F(ReadAdapter, WhatIsNoAdapterIsRefused) {
  expect_input_error(ExitCode::kModel, "no such adapter", [&] { read_adapter(dir_ / "nowhere"); });
  dir_.write("file", "x");
  expect_input_error(ExitCode::kModel, "not a directory", [&] { read_adapter(dir_ / "file"); });
  refuses({}, "not an adapter: neither prescript.json nor adapter_config.json is there");
  refuses({{"decoder.pt", "x"}}, "a pickled file (\"decoder.pt\") is never read");
  // A prompt at another position without its description must not be taken for PEFT's.
  auto files = adapter_files(small_adapter(PromptPosition::kAfterBos));
  files.erase("prescript.json");
  refuses(files, "not an adapter");
}

TEST_F(ReadAdapter, PicklesAreRefusedWithTheWayToConvertThem) {
  auto files = peft_files();
  files.erase("adapter_model.safetensors");
  refuses(files, "adapter_model.safetensors is missing");
  files["adapter_model.bin"] = "\x80\x02}q";
  refuses(files, "pickled (\"adapter_model.bin\")");
  refuses(files, "torch.load('adapter_model.bin', weights_only=True)");
}

TEST_F(ReadAdapter, OddFilesAreRefused) {
  const auto files = peft_files();
  const std::string path = write_files(dir_, "odd", files);
  const std::string tensor = path + "/adapter_model.safetensors";
  const auto refuses_tensor = [&](const char* message) {
    expect_input_error(ExitCode::kModel, message, [&] { read_adapter(path); });
    fs::remove_all(tensor);
  };
  fs::remove(tensor);
  fs::create_symlink("nowhere", tensor);
  refuses_tensor("cannot open");
  fs::create_symlink("adapter_model.safetensors", tensor);
  refuses_tensor("cannot open");
  fs::create_directory(tensor);
  refuses_tensor("not a regular file");
  ASSERT_EQ(::mkfifo(tensor.c_str(), 0600), 0);
  refuses_tensor("not a regular file");
  dir_.write("odd/adapter_model.safetensors", "");
  fs::resize_file(tensor, (size_t{1} << 30) + 1);  // a hole
  refuses_tensor("has at most 1073741824");
  // The Hugging Face cache keeps files behind links.
  dir_.write("blob", files.at("adapter_model.safetensors"));
  fs::create_symlink("../blob", tensor);
  EXPECT_EQ(read_adapter(path).prompt.hidden_size, 8);
}

}  // namespace
}  // namespace prescript
