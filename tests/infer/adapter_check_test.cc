#include <gtest/gtest.h>

#include "infer/base_model_files.h"
#include "infer/changeable_base.h"
#include "support/expect_error.h"
#include "support/tiny_base.h"

namespace prescript {
namespace {

class AdapterCheck : public ChangeableBase {};

/// An adapter as training on this base leaves it.
Adapter trained_on(const BaseModelFiles& base) {
  Adapter adapter = tiny_adapter(4, 1);
  adapter.identity = base.identity();
  adapter.has_prescript_json = true;
  return adapter;
}

TEST_F(AdapterCheck, AnAdapterFitsItsOwnBase) {
  const BaseModelFiles base = open_base_model(dir());
  EXPECT_EQ(check_adapter_fits(trained_on(base), "a", base, false), std::nullopt);
}

TEST_F(AdapterCheck, AnAdapterWithoutHashesPassesWithAWarning) {
  const auto warning =
      check_adapter_fits(tiny_adapter(4, 1), "some/dir", open_base_model(dir()), false);
  ASSERT_TRUE(warning);
  EXPECT_NE(warning->find("some/dir"), std::string::npos);
}

TEST_F(AdapterCheck, AnotherBaseIsRefusedUnlessAllowed) {
  const Adapter adapter = trained_on(open_base_model(dir()));
  write_tiny_model(dir(), {.seed = 2});
  const BaseModelFiles other = open_base_model(dir());
  expect_input_error(ExitCode::kModel, "another base model", [&] {
    check_adapter_fits(adapter, "a", other, false);
  });
  EXPECT_TRUE(check_adapter_fits(adapter, "a", other, true));
}

TEST_F(AdapterCheck, AnotherTemplateIsRefusedUnlessAllowedAndUnusedInPlainFormat) {
  Adapter adapter = trained_on(open_base_model(dir()));
  write("chat_template.jinja", "{{ messages[0]['content'] }}");
  const BaseModelFiles other = open_base_model(dir());
  expect_input_error(ExitCode::kModel, "another chat template", [&] {
    check_adapter_fits(adapter, "a", other, false);
  });
  EXPECT_TRUE(check_adapter_fits(adapter, "a", other, true));
  adapter.identity.template_hash.clear();
  EXPECT_EQ(check_adapter_fits(adapter, "a", other, false), std::nullopt);
}

TEST_F(AdapterCheck, AnotherWidthArchitectureOrTokenizerIsNeverAllowed) {
  const BaseModelFiles base = open_base_model(dir());
  const auto refuses = [&](const Adapter& adapter, const char* message) {
    expect_input_error(
        ExitCode::kModel, message, [&] { check_adapter_fits(adapter, "a", base, true); });
  };
  Adapter narrow = trained_on(base);
  narrow.prompt.hidden_size = 16;
  refuses(narrow, "width 16");
  Adapter foreign = trained_on(base);
  foreign.identity.tokenizer_hash = std::string(64, '0');
  refuses(foreign, "another tokenizer");
  Adapter deeper = trained_on(base);
  deeper.identity.architecture = "llama layers=99";
  refuses(deeper, "another architecture");
}

}  // namespace
}  // namespace prescript
