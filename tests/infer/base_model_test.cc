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

TEST_F(BaseModelTest, TakesTheBackendThatItIsGiven) {
  auto ops = make_reference_ops();
  const Ops* const given = ops.get();
  BaseModel base(open_base_model(dir()), {.dtype = DType::kFloat64}, std::move(ops));
  EXPECT_EQ(&base.ops(), given);
  expect_input_error(ExitCode::kUsage, "\"tpu\" is not one of", [&] {
    BaseModel(open_base_model(dir()), {.device = "tpu"});
  });
}

}  // namespace
}  // namespace prescript
