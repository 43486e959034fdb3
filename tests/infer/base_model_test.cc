#include "infer/base_model.h"

#include <gtest/gtest.h>

#include "infer/changeable_base.h"
#include "support/expect_error.h"

namespace prescript {
namespace {

class BaseModelTest : public ChangeableBase {};

TEST_F(BaseModelTest, HoldsFilesWeightsAndDecoderTogether) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    BaseModel base(open_base_model(dir()), {.dtype = dtype, .device = "auto", .num_threads = 1});
    EXPECT_EQ(base.decoder().weights().dtype(), dtype);
    EXPECT_EQ(base.decoder().weights().head_VD().shape().rows, kTinyVocabularySize);
    EXPECT_EQ(base.decoder().num_positions(), base.config().max_positions);
    EXPECT_EQ(base.tokenizer().vocabulary_size(), size_t{kTinyVocabularySize});
    EXPECT_EQ(base.embedding_rows({3}), base.files().embedding_rows({3}));
  }
}

TEST_F(BaseModelTest, RefusesAnUnknownOrAbsentDevice) {
  EXPECT_NO_THROW(check_device("cpu"));
  EXPECT_NO_THROW(check_device("auto"));
  expect_input_error(ExitCode::kUsage, "'tpu' is not one of", [] { check_device("tpu"); });
  expect_input_error(ExitCode::kUsage, "no CUDA backend", [] { check_device("cuda"); });
}

}  // namespace
}  // namespace prescript
