#include "io/gguf.h"

#include <gtest/gtest.h>

#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/io/every_type.gguf";

template <typename T>
std::string raw(T value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}
std::string text(const std::string& value) {
  return raw(uint64_t{value.size()}) + value;
}
std::string head(uint64_t num_tensors, uint64_t num_keys, uint32_t version = 3) {
  return "GGUF" + raw(version) + raw(num_tensors) + raw(num_keys);
}
std::string key(const std::string& name, GgufType type, const std::string& value) {
  return text(name) + raw(static_cast<uint32_t>(type)) + value;
}
std::string tensor(const std::string& name,
                   const std::vector<uint64_t>& dimensions,
                   uint32_t type,
                   uint64_t offset) {
  std::string bytes = text(name) + raw(static_cast<uint32_t>(dimensions.size()));
  for (const uint64_t dimension : dimensions) bytes += raw(dimension);
  return bytes + raw(type) + raw(offset);
}
/// `bytes` filled up to a multiple of 32, and `data` behind it.
std::string with_data(std::string bytes, size_t data) {
  bytes.resize((bytes.size() + 31) / 32 * 32);
  return bytes + std::string(data, 'x');
}

TEST(Gguf, ReadsEveryMetadataTypeThatGgufPyWrites) {
  const auto file = GgufFile::open(kGolden);
  EXPECT_EQ(file->string("general.architecture"), "llama");
  EXPECT_EQ(file->integer("test.uint8", 0, 255), 250);
  EXPECT_EQ(file->integer("test.int8", -128, 127), -100);
  EXPECT_EQ(file->integer("test.uint16", 0, 1 << 16), 65000);
  EXPECT_EQ(file->integer("test.int16", -(1 << 15), 0), -30000);
  EXPECT_EQ(file->integer("test.uint32", 0, 4000000000), 4000000000);
  EXPECT_EQ(file->integer("test.int32", -2000000000, 0), -2000000000);
  EXPECT_EQ(file->integer("test.int64", INT64_MIN, INT64_MAX), -(int64_t{1} << 62));
  EXPECT_EQ(file->number("test.float32"), static_cast<double>(0.1f));
  EXPECT_EQ(file->number("test.float64"), 0.1);
  EXPECT_EQ(file->number("test.int8"), -100.0);
  EXPECT_TRUE(file->boolean("test.bool"));
  EXPECT_EQ(file->string("test.string"), "gr\u00fc\u00dfe");
  EXPECT_EQ(file->strings("test.strings"), (std::vector<std::string>{"a", "", "\u00df"}));
  EXPECT_EQ(file->integers("test.integers"), (std::vector<int64_t>{3, -1, 2}));
  EXPECT_EQ(file->numbers("test.numbers"), (std::vector<double>{0.5, -2.0}));
  EXPECT_EQ(file->numbers("test.integers"), (std::vector<double>{3, -1, 2}));
  EXPECT_TRUE(file->has("test.nested"));
  EXPECT_EQ(file->find_string("test.string"), "gr\u00fc\u00dfe");
  EXPECT_EQ(file->find_integer("absent", 0, 1), std::nullopt);
  EXPECT_EQ(file->find_boolean("absent"), std::nullopt);
  EXPECT_EQ(file->find_number("absent"), std::nullopt);
}

TEST(Gguf, WrongMetadataTypesAreRefusedWithTheirKey) {
  const auto file = GgufFile::open(kGolden);
  const auto expect = [](const char* message, auto action) {
    expect_input_error(ExitCode::kModel, message, action);
  };
  expect("every_type.gguf: absent: missing", [&] { file->integer("absent", 0, 1); });
  expect("test.uint8: 250 is not in [0, 9]", [&] { file->integer("test.uint8", 0, 9); });
  expect("test.uint64: ", [&] { file->integer("test.uint64", 0, 9); });
  expect("test.float32: expected an integer, found a value of type float32",
         [&] { file->integer("test.float32", 0, 9); });
  expect("test.bool: expected an integer, found a value of type bool",
         [&] { file->integer("test.bool", 0, 9); });
  expect("test.string: expected a number", [&] { file->number("test.string"); });
  expect("test.uint8: expected a bool", [&] { file->boolean("test.uint8"); });
  expect("test.strings: expected a string, found a value of type array",
         [&] { file->string("test.strings"); });
  expect("test.string: expected an array", [&] { file->strings("test.string"); });
  expect("test.integers: expected strings, found elements of type int32",
         [&] { file->strings("test.integers"); });
  expect("test.numbers: expected integers", [&] { file->integers("test.numbers"); });
  expect("test.strings: expected numbers", [&] { file->numbers("test.strings"); });
  expect("test.nested: expected integers, found elements of type array",
         [&] { file->integers("test.nested"); });
}

TEST(Gguf, PlacesTensorsInPyTorchsOrder) {
  const auto file = GgufFile::open(kGolden);
  EXPECT_EQ(file->tensors().size(), 14u);
  const GgufTensor* q4_1 = file->find_tensor("Q4_1");
  ASSERT_NE(q4_1, nullptr);
  EXPECT_EQ(q4_1->shape, (std::vector<int64_t>{3, 512}));
  EXPECT_EQ(q4_1->bytes.size(), 3u * 512 / 32 * 20);
  EXPECT_EQ(file->find_tensor("vector")->shape, (std::vector<int64_t>{5}));
  EXPECT_EQ(file->find_tensor("absent"), nullptr);
}

TEST(Gguf, ReadsTheRealModel) {
  const std::string path = PRESCRIPT_SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent; run scripts/setup";
  const auto file = GgufFile::open(path);
  EXPECT_EQ(file->tensors().size(), 272u);
  EXPECT_EQ(file->strings("tokenizer.ggml.tokens").size(), 49152u);
  EXPECT_EQ(file->find_tensor("blk.0.ffn_down.weight")->shape, (std::vector<int64_t>{576, 1536}));
  EXPECT_EQ(file->find_tensor("token_embd.weight")->type, GgmlType::kQ8_0);
}

TEST(Gguf, VersionTwoAndEmptyFilesAreLegal) {
  const TemporaryDirectory dir;
  EXPECT_TRUE(GgufFile::open(dir.write("a", head(0, 0, 2)))->tensors().empty());
  const std::string bytes = head(1, 1) +
                            key("general.alignment", GgufType::kUint32, raw(uint32_t{64})) +
                            tensor("t", {8}, 0, 64);
  EXPECT_NO_THROW(GgufFile::open(dir.write("b", with_data(bytes, 160))));
}

struct Case {
  const char* name;
  std::string bytes;
  const char* message;
};

void expect_refused(const std::vector<Case>& cases) {
  const TemporaryDirectory dir;
  for (const auto& [name, bytes, message] : cases) {
    SCOPED_TRACE(name);
    const std::string path = dir.write("model.gguf", bytes);
    expect_input_error(ExitCode::kModel, message, [&] { GgufFile::open(path); });
  }
}

TEST(Gguf, MalformedHeadersAreRefused) {
  expect_refused({
      {"Empty", "", "not a GGUF file"},
      {"WrongMagic", "GGML" + raw(uint64_t{3}), "not a GGUF file"},
      {"NoVersion", "GGUF", "version of 4 bytes, but only 0 are left"},
      {"VersionOne", head(0, 0, 1), "GGUF version 1; versions 2 and 3"},
      {"VersionFour", head(0, 0, 4), "GGUF version 4"},
      {"BigEndian", head(0, 0, 3u << 24), "big-endian"},
      {"CountsTooLarge", head(~uint64_t{0}, 0), "18446744073709551615 tensors cannot fit"},
      {"KeyCountTooLarge", head(0, uint64_t{1} << 62), "4611686018427387904 keys cannot fit"},
      {"KeyCountBeyondTheFile", head(0, 2) + key("a", GgufType::kUint8, "x"), "2 keys cannot fit"},
  });
}

TEST(Gguf, MalformedMetadataIsRefused) {
  const std::string pad(64, '\0');
  const auto array = [](GgufType type, uint64_t count) {
    return raw(static_cast<uint32_t>(type)) + raw(count);
  };
  std::string nested = array(GgufType::kArray, 1);
  for (int i = 0; i < 1000; ++i) nested += array(GgufType::kArray, 1);
  expect_refused({
      {"KeyLengthBeyondTheFile",
       head(0, 1) + raw(uint64_t{1000}) + pad,
       "key of 1000 bytes, but only"},
      {"KeyLengthOverflows",
       head(0, 1) + raw(~uint64_t{0}) + pad,
       "key of 18446744073709551615 bytes"},
      {"KeyTooLong",
       head(0, 1) + key(std::string(65536, 'k'), GgufType::kUint8, "x"),
       "a key of 65536 bytes"},
      {"EmptyKey", head(0, 1) + key("", GgufType::kUint8, "x") + pad, "a key of 0 bytes"},
      {"DuplicateKey",
       head(0, 2) + key("a", GgufType::kUint8, "x") + key("a", GgufType::kUint8, "x"),
       "the key \"a\" comes twice"},
      {"UnknownType",
       head(0, 1) + key("a", static_cast<GgufType>(13), pad),
       "unknown value type 13"},
      {"NegativeType",
       head(0, 1) + key("a", static_cast<GgufType>(~0u), pad),
       "unknown value type 4294967295"},
      {"ValueCut",
       head(0, 1) + key("a", GgufType::kUint64, "1234"),
       "value of 8 bytes, but only 4 are left"},
      {"BoolIsTwo", head(0, 1) + key("a", GgufType::kBool, "\x02"), "neither 0 nor 1"},
      {"StringBeyondTheFile",
       head(0, 1) + key("a", GgufType::kString, raw(uint64_t{9}) + "short"),
       "string of 9 bytes, but only 5"},
      {"ArrayBeyondTheFile",
       head(0, 1) + key("a", GgufType::kArray, array(GgufType::kUint32, 100) + pad),
       "100 array elements cannot fit"},
      {"ArraySizeOverflows",
       head(0, 1) + key("a", GgufType::kArray, array(GgufType::kUint64, uint64_t{1} << 61) + pad),
       "array elements cannot fit"},
      {"StringsBeyondTheFile",
       head(0, 1) + key("a", GgufType::kArray, array(GgufType::kString, 1000000) + pad),
       "1000000 array elements cannot fit"},
      {"StringInArrayBeyondTheFile",
       head(0, 1) +
           key("a", GgufType::kArray, array(GgufType::kString, 1) + raw(uint64_t{100}) + pad),
       "string of 100 bytes"},
      {"UnknownElementType",
       head(0, 1) + key("a", GgufType::kArray, array(static_cast<GgufType>(99), 1) + pad),
       "unknown value type 99"},
      {"NestedTooDeep", head(0, 1) + key("a", GgufType::kArray, nested), "nested deeper than 4"},
      {"AlignmentZero",
       head(0, 1) + key("general.alignment", GgufType::kUint32, raw(uint32_t{0})),
       "general.alignment: 0 is not in"},
      {"AlignmentIsNoPowerOfTwo",
       head(0, 1) + key("general.alignment", GgufType::kUint32, raw(uint32_t{48})),
       "48 is not a power of two"},
      {"AlignmentIsAString",
       head(0, 1) + key("general.alignment", GgufType::kString, text("32")),
       "expected an integer"},
  });
}

TEST(Gguf, MalformedTensorsAreRefused) {
  const uint64_t huge = uint64_t{1} << 62;
  const auto one = [](const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset) {
    return with_data(head(1, 0) + tensor("t", dimensions, type, offset), 64);
  };
  expect_refused({
      {"NoDescription", head(1, 0), "1 tensors cannot fit"},
      {"NoDimensions", one({}, 0, 0), "has 0 dimensions"},
      {"FiveDimensions", one({1, 1, 1, 1, 1}, 0, 0), "has 5 dimensions"},
      {"DimensionZero", one({0}, 0, 0), "impossible dimension 0"},
      {"DimensionNegative", one({~uint64_t{0}}, 0, 0), "impossible dimension -1"},
      {"DimensionsOverflow", one({huge, 4}, 0, 0), "impossible dimension 4"},
      {"BytesOverflow", one({huge}, 0, 0), "larger than any file"},
      {"RemovedType", one({32}, 4, 0), "stored as type 4, which cannot be read"},
      {"UnreadableType",
       one({32}, 20, 0),
       "tensor \"t\" is stored as IQ4_NL, which cannot be read"},
      {"PartOfABlock", one({33}, 3, 0), "rows of 33 values are not whole blocks of Q4_1"},
      {"LargerThanTheData",
       one({17}, 0, 0),
       "68 bytes at offset 0 of tensor data that are 64 bytes long"},
      {"OffsetBeyondTheData", one({1}, 0, 96), "4 bytes at offset 96"},
      {"OffsetOverflows", one({1}, 0, ~uint64_t{31}), "4 bytes at offset 18446744073709551584"},
      {"OffsetNotAligned", one({1}, 0, 4), "offset 4 is not a multiple of the alignment 32"},
      {"NoData", head(1, 0) + tensor("t", {1}, 0, 0), "tensor data that are 0 bytes long"},
      {"Overlap",
       with_data(head(2, 0) + tensor("a", {16}, 0, 0) + tensor("b", {8}, 0, 32), 64),
       "two tensors share"},
      {"SameBytesTwice",
       with_data(head(2, 0) + tensor("a", {8}, 0, 0) + tensor("b", {8}, 0, 0), 64),
       "two tensors share"},
      {"DuplicateName",
       with_data(head(2, 0) + tensor("a", {8}, 0, 0) + tensor("a", {8}, 0, 32), 64),
       "the tensor \"a\" comes twice"},
  });
}

TEST(Gguf, DamagedFilesNeverCrash) {
  const std::string valid = bytes_of_file(kGolden);
  const TemporaryDirectory dir;
  int refused = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const std::string path = dir.write("model.gguf", damaged(valid, i, 1800));
    try {
      const auto file = GgufFile::open(path);
      std::vector<float> values;
      for (const GgufTensor& stored : file->tensors()) {
        const GgmlTypeLayout& layout = layout_of(stored.type);
        values.resize(stored.bytes.size() / static_cast<size_t>(layout.block_bytes) *
                      static_cast<size_t>(layout.block_values));
        dequantize(stored.type, stored.bytes, values);
      }
      file->strings("test.strings");
      file->integers("test.integers");
      file->numbers("test.numbers");
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace prescript
