"""Unpacks what scripts/bundle writes where nothing else is: a root that holds glibc and the bundle, without a network."""

import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = "models/SmolLM2-135M-Instruct.Q4_1.gguf"
LOADER = Path("/lib64/ld-linux-x86-64.so.2")
GLIBC = ["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1", "libutil.so.1"]
# Root needs no user namespace, and where it may not make one it may still do without.
ISOLATED = ["unshare", "--mount", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name, "root")
        (cls.root / "proc").mkdir(parents=True)
        for library in [LOADER, *(Path("/lib/x86_64-linux-gnu", name) for name in GLIBC)]:
            copy = cls.root / library.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, copy)
        made = subprocess.run([ROOT / "scripts/bundle", "--model", MODEL, "--output", folder.name], cwd=ROOT,
                              stdout=subprocess.PIPE, text=True, check=True)
        archive = (ROOT / made.stdout.rstrip("\n")).resolve()
        there = cls.root / "a folder"
        there.mkdir()
        subprocess.run(["tar", "-xf", archive, "-C", there], check=True)
        [cls.bundle] = there.iterdir()
        assert archive.name == f"{cls.bundle.name}.tar.gz", archive

    def run_there(self, *arguments):
        script = 'mount --rbind /proc "$1/proc" && exec unshare --root="$1" --wd="$2" bin/prescript "${@:3}"'
        return subprocess.run([*ISOLATED, "bash", "-c", script, "bash", self.root, "/" / self.bundle.relative_to(self.root), *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def answer_of(self, *arguments):
        result = self.run_there(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_it_trains_and_generates(self):
        self.answer_of("train", "recipes/demo.yaml", "training.steps=2", "training.batch_size=2", "data.validation=null",
                       "output=a run")
        steps = [json.loads(line) for line in (self.bundle / "a run/metrics.jsonl").read_text().splitlines()]
        self.assertEqual([line["step"] for line in steps if "loss" in line], [1, 2])
        answer = self.answer_of("generate", "--model", MODEL, "--adapter", "a run/adapter", "--prompt", "What is anaemia?",
                                "--max-new-tokens", "3", "--json")
        self.assertEqual(json.loads(answer)["num_tokens"], 3)

    def test_every_library_is_needed_and_found_nowhere_else(self):
        libraries = [path for path in sorted((self.bundle / "lib").iterdir()) if not path.is_symlink()]
        self.assertIn("libtorch_cpu.so", [path.name for path in libraries])
        self.answer_of("--version")
        for library in libraries:
            with self.subTest(library.name):
                hidden = library.rename(self.bundle / "hidden")
                result = self.run_there("--version")
                hidden.rename(library)
                self.assertEqual(result.returncode, 127, result.stdout)
                self.assertIn("cannot open shared object file", result.stderr)

    def test_each_library_names_its_licence(self):
        notice = (self.bundle / "NOTICE").read_text()
        for library in (self.bundle / "lib").iterdir():
            if library.is_symlink():
                continue
            with self.subTest(library.name):
                [line] = [line for line in notice.splitlines() if line.split()[:1] == [f"lib/{library.name}"]]
                texts = list((self.bundle / line.split()[-1]).iterdir())
                self.assertTrue(texts and all(text.stat().st_size > 500 for text in texts), texts)

    def test_there_is_no_network(self):
        devices = subprocess.run([*ISOLATED, "cat", "/proc/net/dev"], capture_output=True, text=True, check=True).stdout
        self.assertEqual([line.split(":")[0].strip() for line in devices.splitlines()[2:]], ["lo"])


if __name__ == "__main__":
    unittest.main()
