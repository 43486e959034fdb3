// prescript estimate beside what prescript train takes.

#include "cli/train_run.h"

namespace prescript {
namespace {

using nlohmann::ordered_json;
using testing::HasSubstr;

const std::string kSource = PRESCRIPT_SOURCE_DIR;
const std::string kLongInstruction =
    "Answer the question for a patient, in plain words. Say what is known and what is not, which "
    "signs are urgent, and when to see a doctor; never name a dose without its source. ";

struct Configuration {
  std::string name;
  std::vector<std::string> overrides;
};

std::ostream& operator<<(std::ostream& out, const Configuration& configuration) {
  return out << configuration.name;
}

/// Of SmolLM2 unless `overrides` take another model; one thread unless they take more.
class EstimateMemory : public TrainRun, public testing::WithParamInterface<Configuration> {
 protected:
  Arguments arguments() const {
    Arguments all = {"base_model=" + kSource + "/models/SmolLM2-135M-Instruct.Q4_1.gguf",
                     "data.train=" + kSource + "/exemplars/consumer_health.train.jsonl",
                     "data.validation=null",
                     "soft_prompt.num_virtual_tokens=20",
                     "training.memory_gb=4",
                     "training.steps=1"};
    for (const std::string& override : GetParam().overrides) {
      const std::string key = override.substr(0, override.find('=') + 1);
      std::erase_if(all, [&](const std::string& other) { return other.starts_with(key); });
      all.push_back(override);
    }
    return all;
  }

  ordered_json estimate() const {
    Arguments all = arguments();
    all.insert(all.begin(), {"estimate", "recipe.yaml"});
    all.push_back("--json");
    ProcessOptions options;
    options.directory = directory_.path();
    const ProcessResult result = run_prescript(all, options);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return ordered_json::parse(result.out);
  }
};

/// The first lines of a file.
std::string first_lines(const std::string& path, int count) {
  std::istringstream file(bytes_of_file(path));
  std::string lines;
  for (std::string line; count > 0 && std::getline(file, line); --count) lines += line + "\n";
  return lines;
}

TEST_P(EstimateMemory, IsWithinATenthOfWhatTrainingTakes) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps memory of its own beside every allocation";
#endif
  directory_.write("short.jsonl",
                   first_lines(kSource + "/exemplars/multiple_choice.validation.jsonl", 6));
  if (GetParam().name == "AnotherModel") {
    write_tiny_model(directory_ / "wide",
                     {.hidden_size = 512,
                      .feed_forward_size = 2048,
                      .num_layers = 6,
                      .num_heads = 8,
                      .num_kv_heads = 2,
                      .head_size = 64});
  }
  const ordered_json estimated = estimate();
  uint64_t sum = 0;
  for (const auto& [what, bytes] : estimated["memory"].items()) sum += bytes.get<uint64_t>();
  EXPECT_EQ(estimated["peak_bytes"], sum);
  EXPECT_LE(estimated["step"]["share_of_peak"], 1);
  EXPECT_EQ(estimated["peaks_in"] == "loading", estimated["memory"]["activation_bytes"] == 0);

  const ProcessResult result = train(arguments());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  std::istringstream log(bytes_of_file(output() + "/metrics.jsonl"));
  ordered_json step;
  for (std::string line; std::getline(log, line);) {
    const auto values = ordered_json::parse(line);
    if (values.contains("peak_rss_bytes")) step = values;
  }
  const double ratio = estimated["peak_bytes"].get<double>() / step["peak_rss_bytes"].get<double>();
  EXPECT_GT(ratio, 0.9);
  EXPECT_LT(ratio, 1.1);
  if (estimated["steps"] > 1) return;
  for (const char* key : {"rows_computed", "rows_unshared", "rows_padded", "flops"}) {
    EXPECT_EQ(estimated["step"][key], step[key]) << key;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every,
    EstimateMemory,
    testing::ValuesIn(std::vector<Configuration>{
        {"OneExemplarInBFloat16", {"dtype=bf16", "training.batch_size=1"}},
        {"OneExemplarInFloat32", {"training.batch_size=1"}},
        {"Batch", {"dtype=bf16", "training.batch_size=5", "training.threads=2"}},
        {"Unshared", {"training.batch_size=2", "training.share=false", "training.threads=2"}},
        {"HardPrompt",
         {"training.batch_size=2", "training.threads=2", "data.instruction=" + kLongInstruction}},
        {"HardPromptUnshared",
         {"dtype=bf16",
          "training.batch_size=2",
          "training.share=false",
          "data.instruction=" + kLongInstruction}},
        {"FewShot", {"dtype=bf16", "training.batch_size=2", "data.few_shot=2"}},
        {"SmallPasses",
         {"training.batch_size=3", "training.threads=2", "training.micro_batch_tokens=256"}},
        {"SmallPassesOfAHardPrompt",
         {"dtype=bf16",
          "training.batch_size=3",
          "training.threads=2",
          "training.micro_batch_tokens=300",
          "data.instruction=" + kLongInstruction + kLongInstruction + kLongInstruction}},
        {"HeadStart",
         {"training.batch_size=2",
          "training.threads=2",
          "soft_prompt.position=before_question",
          "data.instruction=" + kLongInstruction + kLongInstruction + kLongInstruction}},
        {"AsStored", {"weights.format=as_stored", "training.batch_size=1", "training.threads=2"}},
        {"Streamed",
         {"weights.residence=streamed",
          "training.batch_size=3",
          "training.threads=2",
          "training.micro_batch_tokens=128"}},
        {"Search",
         {"optimizer.learning_rate=null",
          "training.batch_size=1",
          "training.threads=2",
          "data.validation=short.jsonl",
          "search.learning_rate=[0.001, 0.01]"}},
        {"Recomputed",
         {"dtype=bf16",
          "training.batch_size=3",
          "training.threads=2",
          "training.micro_batch_tokens=null",
          "training.memory_gb=0.75"}},
        {"RecomputedInFloat32",
         {"training.batch_size=2", "training.micro_batch_tokens=null", "training.memory_gb=1.1"}},
        {"ShortPlainBatch",
         {"dtype=bf16",
          "data.format=plain",
          "data.train=" + kSource + "/exemplars/multiple_choice.train.jsonl",
          "training.batch_size=6"}},
        {"Validated",
         {"dtype=bf16",
          "data.format=plain",
          "data.train=" + kSource + "/exemplars/multiple_choice.train.jsonl",
          "data.validation=short.jsonl",
          "training.batch_size=1",
          "training.threads=2"}},
        {"TinyModel",
         {"base_model=tiny",
          "data.train=train.jsonl",
          "data.validation=validation.jsonl",
          "training.steps=3"}},
        {"AnotherModel",
         {"base_model=wide",
          "data.train=train.jsonl",
          "data.validation=validation.jsonl",
          "training.batch_size=12",
          "training.threads=2",
          "training.steps=2"}},
    }),
    [](const auto& tested) { return tested.param.name; });

class EstimateCommand : public TrainRun {
 protected:
  ProcessResult estimate(Arguments more = {}) const {
    more.insert(more.begin(), {"estimate", "recipe.yaml"});
    ProcessOptions options;
    options.directory = directory_.path();
    return run_prescript(more, options);
  }
};

TEST_F(EstimateCommand, TellsAPersonMemoryTimeAndRows) {
  const auto before = files_below(directory_.path());
  const ProcessResult result = estimate();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  for (const char* word : {"\n  weights ",
                           "\n  activations ",
                           "\n  K/V ",
                           "\na step ",
                           " MFLOP, ",
                           "\na validation ",
                           "\nthe run ",
                           " unshared, ",
                           " padded)"}) {
    EXPECT_THAT(result.out, HasSubstr(word));
  }
  EXPECT_EQ(files_below(directory_.path()), before);
}

TEST_F(EstimateCommand, OfTheWholeRunCountsItsStepsAndValidations) {
  const auto facts = ordered_json::parse(estimate({"--json"}).out);
  train_whole();
  double flops = 0;
  for (const auto& line : metrics()) {
    if (line.contains("flops")) flops += line["flops"].get<double>();
  }
  EXPECT_EQ(facts["steps"], 6);
  EXPECT_EQ(facts["steps_examined"], 6);
  EXPECT_EQ(facts["validations"], 4);
  EXPECT_NEAR(facts["step"]["flops"].get<double>() * 6 / flops, 1, 1e-9);
  const double validated = facts["validation"]["flops"].get<double>();
  const double whole = facts["run"]["flops"].get<double>();
  EXPECT_GT(whole, flops + 4 * validated);
  EXPECT_LT(whole, flops + 5 * validated) << "without the soft prompt there are fewer rows";
}

/// Turns the tiny model into one of 70 billion weights, whose file is a hole behind its headers.
void make_huge(const TemporaryDirectory& directory) {
  constexpr int64_t kD = 8192;
  constexpr int64_t kF = 28672;
  constexpr int64_t kKE = 1024;
  constexpr int64_t kLayers = 80;
  auto config = ordered_json::parse(bytes_of_file(directory / "tiny/config.json"));
  config.update({{"hidden_size", kD},
                 {"intermediate_size", kF},
                 {"num_hidden_layers", kLayers},
                 {"num_attention_heads", 64},
                 {"num_key_value_heads", 8},
                 {"head_dim", 128}});
  directory.write("tiny/config.json", config.dump());
  ordered_json header;
  int64_t bytes = 0;
  const auto add = [&](const std::string& name, const std::vector<int64_t>& shape) {
    int64_t end = bytes + 2;
    for (const int64_t extent : shape) end = bytes + (end - bytes) * extent;
    header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {bytes, end}}};
    bytes = end;
  };
  add("model.embed_tokens.weight", {kTinyVocabularySize, kD});
  for (int64_t layer = 0; layer < kLayers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm.weight", {kD});
    add(prefix + "self_attn.q_proj.weight", {kD, kD});
    add(prefix + "self_attn.k_proj.weight", {kKE, kD});
    add(prefix + "self_attn.v_proj.weight", {kKE, kD});
    add(prefix + "self_attn.o_proj.weight", {kD, kD});
    add(prefix + "post_attention_layernorm.weight", {kD});
    add(prefix + "mlp.gate_proj.weight", {kF, kD});
    add(prefix + "mlp.up_proj.weight", {kF, kD});
    add(prefix + "mlp.down_proj.weight", {kD, kF});
  }
  add("model.norm.weight", {kD});
  const std::string text = header.dump();
  const uint64_t size = text.size();
  std::string file(reinterpret_cast<const char*>(&size), sizeof size);
  const std::string path = directory.write("tiny/model.safetensors", file + text);
  std::filesystem::resize_file(path, sizeof size + size + static_cast<uint64_t>(bytes));
}

TEST_F(EstimateCommand, OfAModelFarLargerThanMemoryReadsItsHeadersAlone) {
  make_huge(directory_);
  const ProcessResult result =
      estimate({"dtype=bf16", "weights={format: converted, residence: device}", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto facts = ordered_json::parse(result.out);
  EXPECT_EQ(facts["fits"], false);
  EXPECT_EQ(facts["weights"]["residence"], "device");
  // 80 layers of 855 million weights of 2 bytes.
  const double weights = 80.0 * (2.0 * 8192 * 8192 + 2.0 * 1024 * 8192 + 3.0 * 8192 * 28672);
  EXPECT_NEAR(facts["peak_bytes"].get<double>() / (2 * weights), 1, 0.05);
  EXPECT_LT(facts["memory"]["process_bytes"], 1'000'000'000);
  EXPECT_GT(facts["step"]["flops"].get<double>(),
            facts["step"]["rows_computed"].get<double>() * 3 * weights);

  // Left to itself it takes the first that fits: here a layer at a time.
  const auto open =
      ordered_json::parse(estimate({"dtype=bf16", "training.memory_gb=16", "--json"}).out);
  EXPECT_EQ(open["fits"], true);
  EXPECT_EQ(open["weights"]["residence"], "streamed");
  EXPECT_LT(open["memory"]["weight_bytes"].get<double>(), 2 * weights / 40);
  EXPECT_LT(open["peak_bytes"], 16'000'000'000);
}

TEST_F(EstimateCommand, WhatDoesNotFitIsEstimatedAllTheSame) {
  const ProcessResult result = estimate({"training.memory_gb=0.01", "--json"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("warning: training.memory_gb: 0.01 GB is too little"));
  const auto facts = ordered_json::parse(result.out);
  EXPECT_EQ(facts["fits"], false);
  EXPECT_GT(facts["peak_bytes"], 50'000'000);
  EXPECT_EQ(ordered_json::parse(estimate({"--json"}).out)["fits"], true);
  EXPECT_THAT(estimate({"training.memory_gb=0.01"}).out,
              HasSubstr(" GB at its peak; the run does not fit: see the warning\n"));
}

TEST_F(EstimateCommand, PassesOfMoreRowsThanThereAreTakeNoMore) {
  const auto facts_of = [&](const std::string& rows) {
    return ordered_json::parse(
        estimate({"training.micro_batch_tokens=" + rows, "training.memory_gb=2", "--json"}).out);
  };
  EXPECT_EQ(facts_of("1000000000")["fits"], true);
  EXPECT_EQ(facts_of("1000000000")["memory"]["scratch_bytes"],
            facts_of("100000")["memory"]["scratch_bytes"]);
}

TEST_F(EstimateCommand, SaysWhetherLoadingTakesTheMost) {
  for (const bool is_loading : {true, false}) {
    Arguments arguments = {"base_model=" + kSource + "/models/SmolLM2-135M-Instruct.Q4_1.gguf",
                           "data.format=plain",
                           "data.validation=null",
                           "soft_prompt.num_virtual_tokens=2",
                           "training.batch_size=" + std::string(is_loading ? "1" : "12"),
                           "training.threads=1"};
    EXPECT_EQ(estimate(arguments).out.find(" at its peak, while the weights are loaded\n") !=
                  std::string::npos,
              is_loading);
    arguments.push_back("--json");
    EXPECT_EQ(ordered_json::parse(estimate(arguments).out)["peaks_in"],
              is_loading ? "loading" : "step");
  }
}

TEST_F(EstimateCommand, TellsWhereItComputes) {
  EXPECT_THAT(estimate({"device=cpu"}).out, testing::StartsWith("device         cpu\nmemory "));
  EXPECT_EQ(ordered_json::parse(estimate({"device=cpu", "--json"}).out)["device"], "cpu");
}

/// Of a card whether or not there is one.
TEST_F(EstimateCommand, OfACardThatIsNotHereTellsTheMemory) {
  const ProcessResult result =
      estimate({"device=cuda", "training.micro_batch_tokens=null", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto facts = ordered_json::parse(result.out);
  EXPECT_THAT(facts["device"].get<std::string>(), testing::StartsWith("cuda ("));
  EXPECT_EQ(facts["fits"], true);
  EXPECT_FALSE(facts["memory"].contains("process_bytes"));
  EXPECT_GT(facts["host_bytes"], facts["memory"]["weight_bytes"]);
  if (facts["step"].contains("seconds")) GTEST_SKIP() << "there is a card";
  EXPECT_THAT(result.err, HasSubstr("there is no card here; the memory that one needs is told"));
  EXPECT_EQ(facts["max_rows"], 16384);
  EXPECT_GT(facts["least_bytes"], facts["memory"]["weight_bytes"]);
  EXPECT_GT(facts["step"]["flops"], 0);
  EXPECT_FALSE(facts["step"].contains("flops_per_second"));

  const std::string text = estimate({"device=cuda"}).out;
  EXPECT_THAT(text, HasSubstr(" at its peak, of the card\n"));
  EXPECT_THAT(text, HasSubstr("\n  at the least "));
  EXPECT_THAT(text, testing::Not(HasSubstr("FLOP/s")));
}

TEST_F(EstimateCommand, OfACardTheRecipeTellsTheSize) {
  const auto of_card = [&](const std::string& gb) {
    return estimate({"device=cuda",
                     "training.batch_size=1024",
                     "training.share=false",
                     "training.micro_batch_tokens=null",
                     "training.memory_gb=" + gb,
                     "--json"});
  };
  const auto small = ordered_json::parse(of_card("0.57").out);
  EXPECT_EQ(small["fits"], true);
  EXPECT_LT(small["max_rows"], 16384);
  const ProcessResult result = of_card("0.3");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("training.memory_gb: 0.3 GB of the card is too little"));
  EXPECT_EQ(ordered_json::parse(result.out)["fits"], false);
}

TEST_F(EstimateCommand, MistakesAreThoseOfTraining) {
  EXPECT_EQ(estimate({"training.stepz=1"}).exit_code, 2);
  EXPECT_EQ(estimate({"data.train=absent.jsonl"}).exit_code, 3);
  EXPECT_EQ(estimate({"base_model=absent"}).exit_code, 4);
}

}  // namespace
}  // namespace prescript
