#pragma once
// What generate and score have in common: a base model, adapters, and which line of the input runs
// under which.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adapter/adapter.h"
#include "cli/adapter_arguments.h"
#include "infer/adapter_set.h"
#include "infer/base_model.h"
#include "infer/splice.h"

namespace CLI {
class App;
}

namespace prescript {

/// Their common options, as given.
struct InferenceArguments {
  std::string model;
  std::vector<std::string> adapters;
  std::string input;
  std::optional<std::string> format;
  std::optional<std::string> instruction;
  std::optional<std::string> dtype;
  std::string device = "auto";
  std::string weights = "converted";
  bool allow_other_base = false;
  bool json = false;
};

/// Declares them; --input is left to the command. `arguments` must outlive the parsing.
void add_inference_options(CLI::App& command, InferenceArguments& arguments);

/// One line of the input under one adapter.
struct Question {
  const Exemplar* exemplar = nullptr;
  int32_t adapter = AdapterSet::kBase;
};

/// A base model and adapters, opened and checked against each other; no weights yet.
class InferenceInputs {
 public:
  /// Doubts about adapters become warnings. Throws InputError: kUsage for the command line, kModel
  /// for model and adapters, or when adapters of several dtypes leave it open which to compute in.
  explicit InferenceInputs(const InferenceArguments& arguments);

  const BaseModelFiles& base() const { return base_; }
  ComputeOptions compute_options() const {
    return {.dtype = dtype_, .device = device_, .weights = weights_};
  }

  /// In the order of the lines, then of the adapters: a line that names an adapter (null: the base)
  /// runs under that one, others under each adapter, or the base where none is given. Throws
  /// InputError(kData) for an adapter that is not there.
  std::vector<Question> questions(std::span<const Exemplar> exemplars) const;

  /// How questions under this adapter are rendered: its own hard prompt unless the command line
  /// says otherwise. Throws InputError(kModel) as Renderer does, at the first use.
  const Renderer& renderer(int32_t adapter);

  /// The sequence of a rendering of `question`. Throws InputError(kData) when it exceeds the
  /// model's context.
  Sequence sequence(const Question& question, const RenderedExemplar& rendered) const;

  /// Its name, or nothing for the base.
  std::optional<std::string> name(int32_t adapter) const;
  bool has_adapters() const { return !adapters_.empty(); }
  std::span<const Adapter> adapters() const { return adapters_; }

  /// Computes the adapters' roots.
  void add_adapters_to(AdapterSet& set) const;

 private:
  HardPrompt hard_prompt(int32_t adapter) const;

  BaseModelFiles base_;
  std::vector<AdapterArgument> names_;
  std::vector<Adapter> adapters_;
  std::optional<PromptFormat> format_;
  std::optional<std::string> instruction_;
  DType dtype_ = DType::kBFloat16;
  std::string device_;
  WeightFormat weights_ = WeightFormat::kConverted;
  std::map<int32_t, Renderer> renderers_;
};

}  // namespace prescript
