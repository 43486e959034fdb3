"""What scripts/gpu_check says without a card, how it judges, and what its report holds of given measurements."""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import gpu_check  # noqa: E402
import gpu_machine  # noqa: E402
import gpu_report  # noqa: E402

FACTS = {"card": {"name": "NVIDIA H200"}, "torch": "2.11.0", "seconds": 12.0,
         "built": {"commit": "abc", "toolkit": "CUDA 13.0", "golden": "a processor"}}


def measured(group, name, seconds, shape="a shape, bf16", **values):
    return {"group": group, "name": name, "shape": shape, "seconds": seconds, "fastest": seconds, "slowest": seconds,
            "bytes": 0, "flops": 0} | values


def met(measurements):
    """Of each target, whether it is met."""
    return {target: verdict for target, _, verdict in gpu_report.targets(gpu_report.Measured(measurements), 989e12)}


def verdict(measurements, part):
    [found] = [value for target, value in met(measurements).items() if part in target]
    return found


class Program(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([ROOT / "scripts/gpu_check", *arguments], capture_output=True, text=True, check=False)

    @unittest.skipIf(gpu_machine.number_of_cards() > 0, "there is a card")
    def test_without_a_card_it_says_so(self):
        result = self.run_it("tests")
        self.assertEqual(result.returncode, 77)
        self.assertIn("no CUDA card", result.stderr)

    def test_an_unknown_stage_is_refused(self):
        result = self.run_it("everything")
        self.assertEqual(result.returncode, 2)
        self.assertIn("tests, sanitizer, train, bench", result.stderr)


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pack = Path(folder.name)
        (self.pack / "bin").mkdir()

    def program(self, name, script):
        path = self.pack / "bin" / name
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)

    def check(self, limit=60):
        check = gpu_check.Check(self.pack, limit)
        self.addCleanup(lambda: subprocess.run(["rm", "-rf", check.work], check=True))
        return check

    def test_what_runs_too_long_is_ended_with_all_it_started(self):
        check = self.check()
        status, text, seconds = check.run("slow", ["sh", "-c", "echo begun; sleep 60 & sleep 60"], 2)
        self.assertIsNone(status)
        self.assertEqual(text, "begun\n")
        self.assertLess(seconds, 20)

    def test_nothing_starts_behind_the_deadline(self):
        status, text, _ = self.check(limit=0).run("late", ["true"], 10)
        self.assertEqual((status, text), (None, "no time was left"))

    def test_tests_are_counted_and_failed_ones_named(self):
        self.program("prescript_kernels_test",
                     "echo '[       OK ] A.B/C (1 ms)'; echo '[  FAILED  ] A.D/C, where GetParam() = C (1 ms)'; exit 1")
        check = self.check()
        check.checks(["tests"])
        [result] = check.results
        self.assertFalse(result["passed"])
        self.assertEqual(result["detail"], "1 passed, 1 failed: A.D/C")

    def test_skipped_tests_are_counted_and_hide_no_failure(self):
        skips = "echo '[       OK ] A.B (1 ms)'; echo '[  SKIPPED ] A.C (0 ms)'; "
        for status, passed in ((77, True), (1, False)):
            self.program("prescript_kernels_test", skips + f'[ "$GTEST_SHARD_INDEX" = 0 ] || exit 77; exit {status}')
            check = self.check()
            check.checks(["tests"])
            [result] = check.results
            self.assertEqual(result["passed"], passed)
            self.assertRegex(result["detail"], r"^(\d) passed, \1 skipped")

    def test_benchmarks_reach_the_report_even_where_one_fails(self):
        line = json.dumps(measured("rows", "copy", 1.0))
        self.program("prescript_cuda_benchmark", f"echo '{line}' >> \"$2\"; [ \"$3\" != step ]")
        check = self.check()
        check.bench("/bin/true")
        self.assertEqual([result["passed"] for result in check.results], [True, True, False, True, True])
        self.assertEqual(len(check.measurements()), 4)

    def write_curve(self, path, losses):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({"step": i + 1, "loss": loss, "grad_norm": 0.5}) + "\n" for i, loss in enumerate(losses)))

    def train(self, losses_on_card):
        for dtype in ("fp32", "bf16"):
            self.write_curve(self.pack / f"golden/{dtype}.jsonl", [2.0, 1.0])
        self.write_curve(self.pack / "card.jsonl", losses_on_card)
        self.program("prescript", f"for word; do case $word in output=*) mkdir -p \"${{word#output=}}\"; "
                                  f"cp {self.pack}/card.jsonl \"${{word#output=}}/metrics.jsonl\";; esac; done")
        check = self.check()
        check.checks(["train"])
        return check.results

    def test_a_curve_near_the_golden_one_passes(self):
        self.assertTrue(all(result["passed"] for result in self.train([2.0, 1.00001])))

    def test_a_curve_that_leaves_the_golden_one_fails(self):
        results = self.train([2.0, 1.01])
        self.assertEqual([result["passed"] for result in results], [False, False, True, False])

    def test_a_number_that_is_none_fails(self):
        self.assertFalse(self.train([2.0, float("nan")])[0]["passed"])

    def test_a_curve_of_other_steps_fails(self):
        self.assertIn("not the steps", self.train([2.0])[0]["detail"])


class Packed(unittest.TestCase):
    def test_what_was_compressed_is_unpacked_once(self):
        with tempfile.TemporaryDirectory() as folder:
            pack = Path(folder)
            (pack / "bin").mkdir()
            (pack / "bin/program.gz").write_bytes(gzip.compress(b"#!/bin/sh\nexit 3\n"))
            for _ in range(2):
                gpu_check.unpack(pack)
            self.assertEqual(subprocess.run([pack / "bin/program"], check=False).returncode, 3)


class Torch(unittest.TestCase):
    def test_only_the_right_version_is_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            torch = Path(folder, ".venv/lib/python3.11/site-packages/torch")
            torch.mkdir(parents=True)
            (torch / "__init__.py").touch()
            (torch / "version.py").write_text("__version__ = '2.11.0+cu130'\n")
            self.assertEqual(gpu_machine.find_torch(Path(folder)), (torch.parent, "2.11.0+cu130"))
            (torch / "version.py").write_text("__version__ = '2.10.0'\n")
            self.assertNotEqual((gpu_machine.find_torch(Path(folder)) or (None,))[0], torch.parent)


class Targets(unittest.TestCase):
    def test_nothing_measured_meets_nothing(self):
        self.assertEqual(set(met([]).values()), {"not measured"})

    def test_attention_is_a_share_of_the_peak(self):
        for share, expected in ((0.36, "yes"), (0.34, "no")):
            found = verdict([measured("attention", "causal, forward", 1.0, flops=share * 989e12)], "attention forward")
            self.assertEqual(found, expected)

    def test_attention_is_compared_at_its_own_extents(self):
        ours = measured("attention", "causal, forward", 1.0, shape="4096 rows", flops=1)
        other = measured("flash", "causal, forward", 0.5, shape="1024 rows", flops=1)
        same = measured("flash", "causal, forward", 1.1, shape="4096 rows", flops=1)
        self.assertEqual(verdict([ours, other], "causal forward not slower"), "not measured")
        self.assertEqual(verdict([ours, other, same], "causal forward not slower"), "yes")

    def test_one_slow_kernel_misses(self):
        copy = measured("ceiling", "copy", 1.0, bytes=100)
        rows = [measured("rows", "zero", 1.0, bytes=90), measured("rows", "embed", 1.0, bytes=80)]
        self.assertEqual(verdict([copy, *rows], "wait for memory"), "no")
        self.assertEqual(verdict([copy, rows[0]], "wait for memory"), "yes")

    def test_a_step_is_a_share_of_the_peak(self):
        self.assertEqual(verdict([measured("step", "8B, bf16", 2.0, flops=0.6 * 2 * 989e12)], "8B model"), "yes")


class Report(unittest.TestCase):
    def test_it_holds_what_failed_and_every_measurement(self):
        results = [{"stage": "tests", "name": "every operation", "passed": False, "seconds": 1.0, "detail": "1 failed"}]
        measurements = [measured("ceiling", "copy", 1e-3, bytes=4e9), measured("rows", "embed", 1e-4, bytes=3.6e8),
                        measured("step", "8B, bf16", 0.5, flops=2.7e14, rows=7424, weight_bytes=2**34, bytes_taken=2**35, kept_layers=-1,
                                 seconds_forward=0.125, seconds_head=0.0625, seconds_backward=0.25),
                        {"group": "flash", "name": "causal", "failed": "a|b"}]
        text = gpu_report.report(FACTS, results, [{"name": "fp32", "golden": [("1", 2.0, 0.5)], "card": [("1", 2.0, 0.5)]}],
                                 measurements, {"tests": "the last line"})
        for part in ("0 of 1 checks passed; failed: every operation", "| embed | a shape, bf16 | 100.0 |", "90.0 %", "the last line",
                     "54.6 %", "0.1250, 0.0625, 0.2500", "a\\|b", "| 1 | 2 | 2 | 0.5 | 0.5 |"):
            self.assertIn(part, text)

    def test_of_a_log_of_tests_it_holds_what_failed(self):
        log = "[ RUN      ] A.B\n[       OK ] A.B (1 ms)\n[ RUN      ] A.C\nfar off\n[  FAILED  ] A.C (1 ms)\nmore\n"
        self.assertEqual(gpu_report.excerpt(log), ["[ RUN      ] A.C", "far off", "[  FAILED  ] A.C (1 ms)"])
        self.assertEqual(gpu_report.excerpt("the end"), ["the end"])

    def test_a_card_that_is_not_known_has_no_peak(self):
        self.assertEqual(gpu_report.peaks_of("NVIDIA Something 1"), (None, None))
        self.assertEqual(gpu_report.peaks_of("NVIDIA H100 80GB HBM3")[0], 989e12)


if __name__ == "__main__":
    os.environ.pop("OUT", None)
    unittest.main()
