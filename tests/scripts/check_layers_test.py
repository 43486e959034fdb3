"""Plants one violation of each kind in a small tree and expects scripts/check_layers.py to name it."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import check_layers  # noqa: E402

# A tree without violations: path -> text.
SOUND = {
    "src/base/error.h": "#include <string>\n",
    "src/base/error.cc": '#include "base/error.h"\n',
    "src/io/json.h": '#include <nlohmann/json_fwd.hpp>\n',
    "src/io/json.cc": "#include <nlohmann/json.hpp>\nauto v = nlohmann::json::parse(text);\n",
    "src/io/yaml.cc": "#include <yaml-cpp/yaml.h>\nauto v = YAML::Load(text);\n",
    "src/text/bpe.h": '#include "base/error.h"\n',
    "src/ops/cpu.cc": '#include <ATen/ops/mm.h>\n#include "cuda/kernels.h"\n#include "base/error.h"\n',
    "src/ops/ops.h": "",
    "src/recipe/recipe.h": '#include "io/json.h"\n',
    "src/train/trainer.h": '#include "text/bpe.h"\n#include "ops/ops.h"\n#include "io/json.h"\n',
    "src/cli/main.cc": '#include <CLI/CLI.hpp>\n#include "recipe/recipe.h"\n#include "train/trainer.h"\n',
    "src/cli/commands.h": "",
    "cuda/kernels.h": '#include "base/error.h"\n',
    "cuda/portable.cuh": '#include "emulator/device_code.h"\n',
    "cuda/rotary.cuh": "",
    "cuda/rotary.cu": '#include <cuda_bf16.h>\n#include "cuda/kernels.h"\n#include "cuda/rotary.cuh"\n',
}
SOUND |= {
    f"tests/{path.removeprefix('src/').removesuffix('.cc')}_test.cc": ""
    for path in list(SOUND)
    if path.startswith("src/") and path.endswith(".cc") and not path.endswith("main.cc")
}

# (file, its text, a word of the expected message)
VIOLATIONS = [
    ("src/base/error.h", '#include "io/json.h"\n', "base must not include io"),
    ("src/text/bpe.h", '#include "ops/ops.h"\n', "text must not include ops"),
    ("src/io/json.h", '#  include "text/bpe.h"\n', "io must not include text"),
    ("src/ops/ops.h", '#include "io/json.h"\n', "ops must not include io"),
    ("src/train/trainer.h", '#include "recipe/recipe.h"\n', "train must not include recipe"),
    ("src/train/trainer.h", '#include "cli/commands.h"\n', "train must not include cli"),
    ("src/train/trainer.h", '#include "cuda/kernels.h"\n', "only ops may include cuda"),
    ("src/ops/ops.h", '#include "cuda/rotary.cuh"\n', "only cuda/kernels.h"),
    ("cuda/kernels.h", '#include "ops/ops.h"\n', "cuda must not include ops"),
    ("cuda/rotary.cu", '#include "emulator/device_code.h"\n', 'is not spelled "folder/file.h"'),
    ("cuda/kernels.h", "#include <ATen/ATen.h>\n", "<ATen/ATen.h> belongs in"),
    ("src/train/trainer.h", "#include <torch/torch.h>\n", "<torch/torch.h> belongs in"),
    ("src/text/bpe.h", "#include <cuda_runtime.h>\n", "<cuda_runtime.h> belongs in"),
    ("src/recipe/recipe.h", "#include <yaml-cpp/yaml.h>\n", "<yaml-cpp/yaml.h> belongs in"),
    ("src/io/json.h", "#include <nlohmann/json.hpp>\n", "<nlohmann/json.hpp> belongs in"),
    ("src/text/bpe.h", "auto v = nlohmann::json::parse(text);\n", "only src/io/json.cc may call"),
    ("src/recipe/recipe.h", "auto v = YAML::LoadFile(path);\n", "only src/io/yaml.cc may call"),
    ("src/base/error.h", '#include "error.h"\n', "is not spelled"),
    ("src/base/error.h", '#include "base/absent.h"\n', "does not exist"),
    ("src/base/hash.cc", "", "its test tests/base/hash_test.cc is missing"),
    ("src/extra/file.h", "", "knows no arrows"),
]


def problems_of(files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return check_layers.check(Path(folder))


class CheckLayers(unittest.TestCase):
    def test_a_sound_tree_has_no_violation(self):
        self.assertEqual(problems_of(SOUND), [])

    def test_each_planted_violation_is_named(self):
        for path, text, expected in VIOLATIONS:
            with self.subTest(path=path, text=text):
                problems = problems_of(SOUND | {path: text})
                self.assertEqual(len(problems), 1, problems)
                self.assertIn(path, problems[0])
                self.assertIn(expected, problems[0])

    def test_a_comment_is_no_violation(self):
        files = SOUND | {"src/text/bpe.h": '// #include "ops/ops.h"; json::parse(text)\n'}
        self.assertEqual(problems_of(files), [])

    def test_files_of_one_unit_may_share_its_test(self):
        files = SOUND | {"src/io/json_values.cc": "", "src/io/yamlish.cc": ""}
        self.assertEqual(problems_of(files), ["src/io/yamlish.cc: its test tests/io/yamlish_test.cc is missing"])

    def test_an_empty_tree_is_an_error(self):
        self.assertEqual(len(problems_of({})), 1)


if __name__ == "__main__":
    unittest.main()
