#include "io/safetensors.h"

#include <gtest/gtest.h>

#include "support/damage.h"
#include "support/expect_error.h"
#include "support/temporary_directory.h"

namespace prescript {
namespace {

const std::string kGolden = PRESCRIPT_SOURCE_DIR "/tests/golden/io/python.safetensors";

std::string length_of(uint64_t length) {
  return std::string(reinterpret_cast<const char*>(&length), sizeof length);
}

std::string file_of(const std::string& header, const std::string& data = "") {
  return length_of(header.size()) + header + data;
}

/// The header of one tensor.
std::string entry(const std::string& name,
                  const std::string& dtype,
                  const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
         offsets + "}";
}

TEST(Safetensors, ReadsWhatPythonWrites) {
  const auto file = SafetensorsFile::open(kGolden);
  EXPECT_EQ(file->metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(file->tensors().size(), 11u);
  const SafetensorsTensor* tensor = file->find("float16");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, "F16");
  EXPECT_EQ(tensor->shape, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(tensor->bytes.size(), 6u);
  EXPECT_EQ(file->find("scalar")->shape.size(), 0u);
  EXPECT_EQ(file->find("empty")->bytes.size(), 0u);
  const auto integers = file->find("int64")->bytes;
  EXPECT_EQ(integers[8], std::byte{1});
  EXPECT_NE(file->find("na\u00efve \"name\"\n"), nullptr);
  EXPECT_EQ(file->find("absent"), nullptr);
}

TEST(Safetensors, WritesTheBytesThatPythonWrites) {
  const auto file = SafetensorsFile::open(kGolden);
  std::vector<SafetensorsTensor> tensors(file->tensors().rbegin(), file->tensors().rend());
  EXPECT_EQ(safetensors_file_bytes(tensors, file->metadata()), bytes_of_file(kGolden));
}

TEST(Safetensors, WriterRefusesTensorsThatContradictThemselves) {
  const std::byte bytes[4]{};
  EXPECT_THROW(safetensors_file_bytes({{"a", "F32", {2}, bytes}}), ContractError);
  EXPECT_THROW(safetensors_file_bytes({{"a", "F99", {1}, bytes}}), ContractError);
  EXPECT_THROW(safetensors_file_bytes({{"a", "F32", {1}, bytes}, {"a", "F32", {1}, bytes}}),
               ContractError);
  EXPECT_THROW(safetensors_file_bytes({{"__metadata__", "F32", {1}, bytes}}), ContractError);
}

TEST(Safetensors, FilesWithoutTensorsAreLegal) {
  const TemporaryDirectory dir;
  EXPECT_TRUE(SafetensorsFile::open(dir.write("a", file_of("{}")))->tensors().empty());
  EXPECT_TRUE(SafetensorsFile::open(dir.write("b", file_of("{}      ")))->tensors().empty());
}

TEST(Safetensors, MalformedFilesAreRefused) {
  struct Case {
    const char* name;
    std::string bytes;
    const char* message;
  };
  const std::string four = "1234";
  const Case cases[] = {
      {"Empty", "", "no room for a header"},
      {"ShorterThanItsLength", "1234567", "no room for a header"},
      {"HeaderLongerThanTheFile", length_of(100) + "{}", "a header of 100 bytes in a file of 10"},
      {"HeaderLongerThanAllowed", length_of(100'000'001) + "{}", "a header of 100000001 bytes"},
      {"HeaderLengthOverflows", length_of(~uint64_t{0}) + "{}", "a header of 18446744073709551615"},
      {"HeaderOfNoBytes", file_of(""), "does not begin with {"},
      {"LeadingSpace", file_of(" {}"), "does not begin with {"},
      {"PickleMagic", file_of("\x80\x02}q"), "does not begin with {"},
      {"HeaderIsAnArray", file_of("[]"), "does not begin with {"},
      {"BrokenJson", file_of("{\"a\":"), "header:1:5: syntax error"},
      {"BrokenUtf8", file_of("{\"\xff\":1}"), "UTF-8"},
      {"TooDeep", file_of("{\"a\":" + std::string(1000, '[')), "nested deeper"},
      {"EntryIsNoObject", file_of("{\"a\":1}"), "a: expected an object, found a number"},
      {"NoDtype", file_of(R"({"a":{"shape":[],"data_offsets":[0,4]}})", four), "a.dtype: missing"},
      {"UnknownDtype",
       file_of("{" + entry("a", "F99", "[1]", "[0,4]") + "}", four),
       "unknown dtype \"F99\""},
      {"NegativeDimension",
       file_of("{" + entry("a", "F32", "[-1]", "[0,4]") + "}", four),
       "a.shape[0]: -1 is not in"},
      {"FractionalDimension",
       file_of("{" + entry("a", "F32", "[1.0]", "[0,4]") + "}", four),
       "expected a whole number"},
      {"ThreeOffsets",
       file_of("{" + entry("a", "F32", "[1]", "[0,4,8]") + "}", four),
       "expected two offsets"},
      {"NegativeOffset",
       file_of("{" + entry("a", "F32", "[1]", "[-4,0]") + "}", four),
       "-4 is not in"},
      {"EndBeforeBeginning",
       file_of("{" + entry("a", "F32", "[1]", "[4,0]") + "}", four),
       "end lies before"},
      {"ShapeContradictsOffsets",
       file_of("{" + entry("a", "F32", "[2]", "[0,4]") + "}", four),
       "need 8 bytes, the offsets give 4"},
      {"DimensionsOverflow",
       file_of("{" + entry("a", "F32", "[4611686018427387904,4]", "[0,0]") + "}"),
       "more elements than 64 bits"},
      {"BytesOverflow",
       file_of("{" + entry("a", "F32", "[4611686018427387904]", "[0,0]") + "}"),
       "more elements than 64 bits"},
      {"DimensionAboveInt64",
       file_of("{" + entry("a", "F32", "[9223372036854775808]", "[0,0]") + "}"),
       "is not in"},
      {"HugeEmptyTensor",
       file_of("{" + entry("a", "U8", "[0,1152921504606846976]", "[0,0]") + "}"),
       "above 2^31"},
      {"Truncated",
       file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "}", "123"),
       "ends at byte 4 of 3"},
      {"TrailingBytes",
       file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "}", "12345"),
       "1 byte behind the last tensor"},
      {"DataWithoutTensors", file_of("{}", "1"), "1 byte behind"},
      {"HoleAtTheStart",
       file_of("{" + entry("a", "U8", "[2]", "[2,4]") + "}", four),
       "leaves a hole"},
      {"HoleBetween",
       file_of(
           "{" + entry("a", "U8", "[1]", "[0,1]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}",
           four),
       "leaves a hole"},
      {"Overlap",
       file_of(
           "{" + entry("a", "U8", "[3]", "[0,3]") + "," + entry("b", "U8", "[2]", "[2,4]") + "}",
           four),
       "overlaps"},
      {"SameBytesTwice",
       file_of(
           "{" + entry("a", "U8", "[4]", "[0,4]") + "," + entry("b", "U8", "[4]", "[0,4]") + "}",
           four),
       "overlaps"},
      {"DuplicateName",
       file_of(
           "{" + entry("a", "U8", "[2]", "[0,2]") + "," + entry("a", "U8", "[2]", "[2,4]") + "}",
           four),
       "\"a\" comes twice"},
      {"MetadataIsNotAString",
       file_of(R"({"__metadata__":{"a":1}})"),
       "__metadata__.a: expected a string"},
      {"MetadataIsNoObject", file_of(R"({"__metadata__":[]})"), "__metadata__: expected an object"},
  };
  const TemporaryDirectory dir;
  for (const auto& [name, bytes, message] : cases) {
    SCOPED_TRACE(name);
    const std::string path = dir.write("file", bytes);
    expect_input_error(ExitCode::kModel, message, [&] { SafetensorsFile::open(path); });
  }
}

TEST(Safetensors, DamagedFilesNeverCrash) {
  const std::string valid = bytes_of_file(kGolden);
  const TemporaryDirectory dir;
  int refused = 0;
  for (uint64_t i = 0; i < 5000; ++i) {
    const std::string path = dir.write("file", damaged(valid, i, valid.size()));
    try {
      const auto file = SafetensorsFile::open(path);
      for (const SafetensorsTensor& tensor : file->tensors())
        ASSERT_LE(tensor.bytes.size(), valid.size());
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2000);
}

}  // namespace
}  // namespace prescript
