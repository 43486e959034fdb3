#include "model/pass_run.h"

#include <algorithm>
#include <cstddef>

#include <gtest/gtest.h>

#include "model/batch.h"
#include "support/tiny_decoder.h"

namespace prescript {
namespace {

class PassRunTest : public testing::Test {
 protected:
  PassRunTest()
      : ops_(make_cpu_ops(2)),
        config_(tiny_config()),
        schedule_(make_schedule(build_forest(three_level_batch().sequences, {}, {}), 10000)) {}

  const Pass& pass() const { return schedule_.passes.front(); }

  PassRun run(KeepPlan plan) const {
    return PassRun(*ops_, config_, DType::kFloat32, pass(), {}, plan);
  }

  PassBytes bytes(KeepPlan plan) const {
    return PassRun::bytes(*ops_,
                          config_,
                          DType::kFloat32,
                          pass().num_rows(),
                          pass().num_output_rows(),
                          static_cast<int64_t>(pass().targets.size()),
                          plan);
  }

  std::unique_ptr<Ops> ops_;
  DecoderConfig config_;
  Schedule schedule_;
};

/// What the backward of a layer reads, without the views into qkv.
std::vector<Tensor> tensors_of(const LayerActivations& layer, bool is_last) {
  std::vector<Tensor> tensors = {layer.x_ND,
                                 layer.attention_N,
                                 layer.qkv_N,
                                 layer.attended_AHE,
                                 layer.lse_AH,
                                 layer.mid_AD,
                                 layer.feed_forward_A,
                                 layer.gate_up_A2F};
  if (is_last) tensors.push_back(layer.q_AHE);
  return tensors;
}

void expect_disjoint(const std::vector<Tensor>& tensors) {
  std::vector<std::pair<const std::byte*, const std::byte*>> ranges;
  for (const Tensor& x : tensors) {
    const auto* begin = static_cast<const std::byte*>(x.data);
    ASSERT_NE(begin, nullptr);
    ranges.emplace_back(begin, begin + static_cast<size_t>(x.num_elements()) * size_of(x.dtype));
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) EXPECT_LE(ranges[i - 1].second, ranges[i].first);
}

TEST_F(PassRunTest, WithScratchOfOthersKeepsWhatStaysApartFromIt) {
  for (const KeepPlan& plan : {KeepPlan{Keep::kActivations, 1}, KeepPlan{}}) {
    const PassBytes size = bytes(plan);
    const Buffer scratch = ops_->allocate(size.scratch);
    const PassRun run(*ops_, config_, DType::kFloat32, pass(), {}, plan, scratch.get());
    const auto* begin = static_cast<const std::byte*>(scratch.get());
    const auto is_scratch = [&](const Tensor& x) {
      const auto* data = static_cast<const std::byte*>(x.data);
      return data >= begin && data < begin + size.scratch;
    };
    // What the decoder leaves in a run for its next call, and what it does not.
    for (const Tensor& x :
         {run.layer_input(0), run.layer_input(3), run.final_AD, run.log_probs_T}) {
      EXPECT_FALSE(is_scratch(x));
    }
    for (const Tensor& x : {run.normed_ND, run.hidden_NF, run.hidden_TD, run.layer(1).mid_AD}) {
      EXPECT_TRUE(is_scratch(x));
    }
    const bool training = plan.keep == Keep::kActivations;
    EXPECT_EQ(is_scratch(run.layer(0).mid_AD), !training);
    EXPECT_EQ(is_scratch(run.layer(2).mid_AD), !training);
    if (!training) continue;
    for (const Tensor& x : {run.dx_ND, run.dx_AD, run.d_hidden_TD}) EXPECT_FALSE(is_scratch(x));
    for (const Tensor& x : {run.dq_NHE, run.dk_NKE, run.d_final_AD}) EXPECT_TRUE(is_scratch(x));
  }
}

TEST_F(PassRunTest, KeepsEveryLayersActivationsApartFromScratch) {
  const PassRun run = this->run({Keep::kActivations, config_.num_layers});
  std::vector<Tensor> tensors;
  for (int64_t layer = 0; layer < config_.num_layers; ++layer) {
    for (const Tensor& x : tensors_of(run.layer(layer), layer + 1 == config_.num_layers)) {
      tensors.push_back(x);
    }
  }
  for (const Tensor& x : {run.layer_input(config_.num_layers),
                          run.normed_ND,
                          run.hidden_NF,
                          run.d_attended_NHE,
                          run.dq_NHE,
                          run.dk_NKE,
                          run.dv_NKE,
                          run.d_qkv_N,
                          run.dx_ND,
                          run.dx_AD,
                          run.final_A,
                          run.final_AD,
                          run.d_final_AD,
                          run.hidden_TD,
                          run.d_hidden_TD,
                          run.log_probs_T}) {
    tensors.push_back(x);
  }
  expect_disjoint(tensors);
}

TEST_F(PassRunTest, OfLayersThatAreNotKeptSharesTheirMemory) {
  const PassRun run = this->run({Keep::kActivations, 1});
  EXPECT_NE(run.layer(0).gate_up_A2F.data, run.layer(1).gate_up_A2F.data);
  EXPECT_NE(run.layer(1).gate_up_A2F.data, run.layer(2).gate_up_A2F.data);
  EXPECT_NE(run.layer_input(1).data, run.layer_input(2).data);
  const PassRun none = this->run({Keep::kActivations, 0});
  EXPECT_EQ(none.layer(0).gate_up_A2F.data, none.layer(1).gate_up_A2F.data);
  EXPECT_NE(none.layer(1).gate_up_A2F.data, none.layer(2).gate_up_A2F.data);
  EXPECT_NE(none.layer_input(0).data, none.layer_input(1).data);
}

TEST_F(PassRunTest, OfInferenceKeepsNothing) {
  const PassRun run = this->run({});
  EXPECT_EQ(run.layer_input(0).data, run.layer_input(2).data);
  EXPECT_EQ(run.layer(0).qkv_N.data, run.layer(1).qkv_N.data);
  EXPECT_EQ(run.dx_ND.data, nullptr);
  EXPECT_EQ(run.d_hidden_TD.data, nullptr);
}

TEST_F(PassRunTest, TakesLessTheLessItKeeps) {
  EXPECT_LT(bytes({}).total(), bytes({Keep::kActivations, 0}).total());
  EXPECT_LT(bytes({Keep::kActivations, 0}).total(), bytes({Keep::kActivations, 2}).total());
  // Of the two layers besides the last: one set of activations for both, or two.
  const int64_t N = pass().num_rows();
  const auto layer = static_cast<double>(4 * N * (1 + 64 + 32 + 4 + 32 + 1 + 80));
  EXPECT_EQ(bytes({Keep::kActivations, 1}).total(), bytes({Keep::kActivations, 2}).total());
  EXPECT_NEAR(static_cast<double>(bytes({Keep::kActivations, 1}).total() -
                                  bytes({Keep::kActivations, 0}).total()),
              layer,
              7 * 64);
}

TEST_F(PassRunTest, HasOnlyOutputRowsBehindTheLastLayersKeys) {
  const PassRun run = this->run({Keep::kActivations, 3});
  const LayerActivations& last = run.layer(2);
  EXPECT_LT(pass().num_output_rows(), pass().num_rows());
  EXPECT_EQ(last.k_NKE.rows, pass().num_rows());
  for (const Tensor& x :
       {last.q_AHE, last.attended_AHE, last.mid_AD, last.gate_up_A2F, run.final_AD}) {
    EXPECT_EQ(x.rows, pass().num_output_rows());
  }
  EXPECT_EQ(run.layer(1).mid_AD.rows, pass().num_rows());
}

}  // namespace
}  // namespace prescript
