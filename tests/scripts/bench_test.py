"""What scripts/bench writes from given rows, how it keeps them, and what it says of a worker that fails."""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import measure  # noqa: E402
import page  # noqa: E402
import rows  # noqa: E402
import targets  # noqa: E402
import worker  # noqa: E402

with mock.patch.dict(sys.modules, gguf=mock.Mock(), numpy=mock.Mock()):  # of the benchmark's own environment
    import bench  # noqa: E402

ORIGIN = {"machine": "a processor, 2 threads", "versions": "prescript abc1234+, torch 1", "date": "2026-01-02"}


def row(case, dtype, peer, seconds, **values):
    own = {"case": case, "dtype": dtype, "peer": peer, "seconds": [seconds - 0.5, seconds, seconds + 0.5], "steps": 5,
           "peak_kib": 1_000_000, "whole_peak_kib": 2_000_000, "rows": 1264, "flops": 6e11}
    return ORIGIN | own | values


def beside(case, dtype, peer, seconds, peer_seconds, **values):
    theirs = {"peer_seconds": [peer_seconds] * 3, "peer_peak_kib": 9_000_000, "micro_batch": 16}
    return row(case, dtype, peer, seconds, **theirs | values)


def target(what, dtype, *given):
    """The cells of one line of the table, without the first two."""
    found = [line for line in targets.lines(given) if line.startswith(f"| {what} | {dtype} |")]
    assert len(found) == 1, found
    return [cell.strip() for cell in found[0].split("|")[3:-1]]


class Targets(unittest.TestCase):
    def test_the_ratio_is_of_medians(self):
        given = [beside("B", "fp32", "P1", 2, 14), beside("C", "fp32", "P1", 2, 18), beside("D", "fp32", "P1", 2, 33)]
        self.assertEqual(target("step against P1", "fp32", *given),
                         ["B ≥ 7×, C ≥ 12×, D ≥ 15×", "B 7.00×, C 9.00×, D 16.5×", "C misses by 25.0 %"])

    def test_what_is_not_there_is_not_measured(self):
        self.assertEqual(target("step against P1", "fp32")[1:], ["B –, C –, D –", "not measured"])
        given = [beside("B", "fp32", "P1", 2, 14), row("C", "fp32", "P1", 2) | {"failed": "does not run"}]
        self.assertEqual(target("step against P1", "fp32", *given)[1:], ["B 7.00×, C –, D –", "C not measured, D not measured"])

    def test_a_peer_that_was_stopped_is_a_bound(self):
        slow = [row(case, "bf16", "P1", seconds, peer_at_least_s=1200) for case, seconds in (("B", 10), ("C", 200), ("D", 1))]
        self.assertEqual(target("step against P1", "bf16", *slow)[1:],
                         ["B ≥ 120.0×, C ≥ 6.00×, D ≥ 1200.0×", "C not known"])

    def test_the_best_peer_counts(self):
        what = "step against the best of P2 and P3"
        self.assertEqual(target(what, "bf16")[0], "B, C, D, E ≥ 2×")
        both = [beside("B", "fp32", "P2", 2, 8), beside("B", "fp32", "P3", 2, 3)]
        self.assertIn("B 1.50×", target(what, "fp32", *both)[1])
        self.assertIn("B –", target(what, "fp32", both[0])[1])
        self.assertIn("B 4.00×", target(what, "fp32", both[0], row("B", "fp32", "P3", 2, failed="does not run"))[1])

    def test_shares_of_the_peak(self):
        given = beside("B", "fp32", "unshared", 4, 16, peak_flops=2e11, peer_flops=2.4e12, peer_rows=5104)
        self.assertEqual(target("share of the peak, with sharing", "fp32", given)[1], "B 75.0 %, C –, D –, E –")
        self.assertEqual(target("share of the peak, without", "fp32", given)[1], "B 75.0 %, C –, D –, E –")

    def test_memory_is_above_one_copy_of_the_weights_and_in_all(self):
        weights_kib = 4 * targets.PARAMETERS / 1024
        given = beside("B", "fp32", "P1", 2, 14, peak_kib=weights_kib + 1000, peer_peak_kib=weights_kib + 4000)
        self.assertEqual(target("P1's memory above the weights, over ours", "fp32", given)[1:], ["B 4.00×", "B misses by 20.0 %"])
        given = beside("D", "fp32", "P2", 2, 14, whole_peak_kib=5e9 / 1024)
        self.assertEqual(target("memory in all", "fp32", given), ["D ≤ 4 GB", "D 5.00 GB", "D misses by 25.0 %"])

    def test_a_ceiling_is_met_below(self):
        self.assertEqual(target("start to the first step", "bf16", row("start", "bf16", "", 1.2)), ["≤ 1.5 s", "1.20 s", "yes"])

    def test_evaluation_and_generation(self):
        given = ORIGIN | {"case": "evaluation", "dtype": "bf16", "peer": "training", "rows_per_s": [1, 400, 500],
                          "peer_rows_per_s": [1, 200, 300]}
        self.assertEqual(target("evaluation against training, rows/s", "bf16", given)[1:], ["2.00×", "yes"])
        given = beside("generation", "bf16", "llama.cpp", 2, 1.8)
        self.assertEqual(target("generation against llama.cpp", "bf16", given)[1:], ["0.90×", "misses by 25.0 %"])


    def test_weights_as_stored(self):
        given = beside("as-stored", "bf16", "converted", 2.4, 2, weights_kib=1100, file_bytes=1024000)
        self.assertEqual(target("step on weights as stored, of one on converted", "bf16", given)[1:], ["1.20×", "misses by 4.3 %"])
        self.assertEqual(target("resident weights as stored, of the file", "bf16", given)[1:], ["1.10×", "yes"])


class Page(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.page, self.readme = Path(folder.name, "page.md"), Path(folder.name, "readme.md")
        for file in (self.page, self.readme):
            file.write_text(f"above\n{page.BEGIN}old\n{page.END}below\n")

    def write(self, *given):
        page.write(given, self.page, self.readme)

    def test_only_what_is_between_the_marks_is_replaced(self):
        given = [beside("B", "fp32", "P1", 2, 14)]
        self.write(*given)
        once = self.page.read_text()
        self.write(*given)
        self.assertEqual(self.page.read_text(), once)
        self.assertTrue(once.startswith("above\n") and once.endswith("below\n"), once)
        self.assertNotIn("old", once)
        self.assertIn("### a processor, 2 threads\n\n2026-01-02 to 2026-01-02; torch 1.\n", once)
        self.assertIn("| B | fp32 | P1 | 2.00 (1.50 to 2.50) | 14.00 (14.00 to 14.00) | 7.00 | 486 | 8678 |  | abc1234+ |", once)

    def test_the_readme_shows_time_and_memory_beside_peft(self):
        self.write(beside("B", "fp32", "P1", 2, 14), beside("B", "fp32", "P2", 2, 3), beside("A", "fp32", "P1", 2, 3))
        text = self.readme.read_text()
        self.assertIn("| seconds a step, fp32 | 2.0 | 14.0 | 7.0× faster |", text)
        self.assertIn("| peak memory, fp32 | 1.0 GB | 9.2 GB | 9.0× smaller |", text)
        self.assertEqual(text.count("seconds a step"), 1)

    def test_the_readme_shows_the_machine_of_the_last_row(self):
        here, there = beside("B", "fp32", "P1", 2, 14), beside("B", "fp32", "P1", 1, 9) | {"machine": "another"}
        for given, machine in (((here, there), "another"), ((there, here), "a processor, 2 threads")):
            self.write(*given)
            self.assertIn(f"behind it.\n{machine}, ", self.readme.read_text())

    def test_the_readme_stays_where_there_is_no_such_row(self):
        self.write(beside("A", "fp32", "P1", 2, 3), row("B", "fp32", "P1", 2, failed="does not run"))
        self.assertIn("old", self.readme.read_text())

    def test_a_peer_that_does_not_run_or_is_stopped_says_so(self):
        lines = page.tables([row("B", "bf16", "P3", 2, failed="does not run: no such file"),
                             row("C", "bf16", "P1", 100, peer_at_least_s=1200)])
        self.assertIn("| B | bf16 | P3 |  |  |  |  |  | does not run: no such file | abc1234+ |", lines)
        self.assertTrue([line for line in lines if line.startswith("| C | bf16 | P1 |") and "> 1200 | > 12.00" in line], lines)

    def test_a_smaller_micro_batch_is_noted(self):
        lines = page.tables([beside("B", "fp32", "P1", 2, 14, micro_batch=4)])
        self.assertTrue([line for line in lines if line.endswith("| micro-batch 4 | abc1234+ |")], lines)


    def test_every_kind_of_row_has_its_table(self):
        rates = {"rows_per_s": [390, 400, 410], "peer_rows_per_s": [190, 200, 210]}
        parts = {"prefill_s": [1, 1, 1], "peer_prefill_s": [2, 2, 2], "decode_s": [5, 5, 5], "peer_decode_s": [10, 10, 10],
                 "answers": 16, "new_tokens": 64, "same_tokens": 1000}
        lines = page.tables([
            beside("break-even", "fp32", "unshared", 2, 3, peak_flops=4e11, peer_flops=9e11, peer_rows=1300),
            beside("B", "fp32", "unshared", 2, 3, peak_flops=4e11, least_peak_flops=3.5e11, peer_flops=9e11, peer_rows=1300),
            ORIGIN | {"case": "evaluation", "dtype": "fp32", "peer": "training"} | rates,
            row("start", "bf16", "", 1.25),
            beside("generation", "bf16", "llama.cpp", 6, 12, **parts),
            beside("as-stored", "bf16", "converted", 3, 2.5, weights_kib=100_000, peer_weights_kib=263_000, file_bytes=98e6),
            ORIGIN | {"case": "estimate", "dtype": "fp32", "peer": "", "estimates": [["batch_size=2", 1.5, 2], ["share=false", 3, 2]]},
            ORIGIN | {"case": "beside-others", "dtype": "fp32", "peer": "", "seconds_beside": [[1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6]]},
            beside("search", "bf16", "six runs", 20, 60),
            beside("head-start", "bf16", "start", 2, 3, losses=[2.5, 2.25], losses_at_start=[3.5, 3.25], peer_losses=[2.75, 2],
                   peer_losses_at_start=[4, 5], peer_rows=2000)])
        for expected in (
                "| break-even | fp32 | 2.00 (1.50 to 2.50) | 3.00 (3.00 to 3.00) | 1.50 | 1264 of 1300 | 300, 75 % | 300, 75 % | 400 | abc1234+ |",
                "| B | fp32 | 2.00 (1.50 to 2.50) | 3.00 (3.00 to 3.00) | 1.50 | 1264 of 1300 | 300, 75 % | 300, 75 % | 350 to 400 | abc1234+ |",
                "| fp32 | 400 (390 to 410) | 200 (190 to 210) | 2.00 | abc1234+ |",
                "| bf16 | 1.25 (0.75 to 1.75) | abc1234+ |",
                "| bf16 | 6.00 (5.50 to 6.50) | 12.00 (12.00 to 12.00) | 2.00 | 1.00 (1.00 to 1.00) | 2.00 (2.00 to 2.00) | 202 | 101 | "
                "1024 | 9216 | 1000 of 1024 | abc1234+ |",
                "| bf16 | 3.00 (2.50 to 3.50) | 2.50 (2.50 to 2.50) | 1.20 | 1024 | 9216 | 102 | 269 | 98 | abc1234+ |",
                "| fp32 | 2.00 (1.00 to 3.00) | 3.00 (2.00 to 4.00) | 4.00 (3.00 to 5.00) | 5.00 (4.00 to 6.00) | abc1234+ |",
                "| fp32 | batch_size=2 | 1.50 | 2.00 | 0.75 | abc1234+ |",
                "| fp32 | share=false | 3.00 | 2.00 | 1.50 | abc1234+ |",
                "| bf16 | 20.0 (19.5 to 20.5) | 60.0 (60.0 to 60.0) | 3.00 | abc1234+ |",
                "| before_question | bf16 | 3.500, 3.250 | 2.500, 2.250 | 2.00 (1.50 to 2.50) | 1264 | abc1234+ |",
                "| start | bf16 | 4.000, 5.000 | 2.750, 2.000 | 3.00 (3.00 to 3.00) | 2000 | abc1234+ |"):
            self.assertIn(expected, lines)


class Chosen(unittest.TestCase):
    def chosen(self, *words):
        return [row[:3] for row in bench.chosen_rows(argparse.ArgumentParser(), words)]

    def test_a_word_is_a_case_a_dtype_of_it_or_one_row(self):
        self.assertEqual(self.chosen("B-bf16-P3"), [("B", "bf16", "P3")])
        self.assertEqual(self.chosen("start", "generation"), [("start", "fp32", ""), ("start", "bf16", ""),
                                                              ("generation", "bf16", "llama.cpp")])
        self.assertEqual(self.chosen("C-fp32"), [("C", "fp32", peer) for peer in ("unshared", "P2", "P3", "P1", "P1c")])
        self.assertEqual(len(self.chosen()), 2 * 6 * 5 + 13)

    def test_an_unknown_word_is_refused(self):
        for word in ("G", "search-fp32", "B-fp32-P4", "P3"):
            said = io.StringIO()
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(said):
                self.chosen("B", word)
            self.assertIn(f"no such case: {word}", said.getvalue())


class Rows(unittest.TestCase):
    def test_a_row_that_was_cut_off_is_lost_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "rows", "rows.jsonl")
            self.assertEqual(rows.stored(path), {})
            rows.keep(row("A", "fp32", "P1", 1), path)
            with path.open("a") as file:
                file.write(json.dumps(row("A", "fp32", "P2", 1))[:-20])
            rows.keep(row("A", "fp32", "P3", 1), path)
            rows.keep(row("A", "fp32", "P1", 3), path)
            stored = rows.stored(path)
            self.assertEqual(sorted(key[3] for key in stored), ["P1", "P3"])
            self.assertEqual(stored[ORIGIN["machine"], "A", "fp32", "P1"]["seconds"][1], 3)


class Sharing(unittest.TestCase):
    def steps(self, unshared_seconds):
        def answers(seconds):
            worker = mock.MagicMock()
            worker.__enter__.return_value.ask.side_effect = lambda: [seconds, 1000, 64, 1e9, 2.5]
            return worker

        with mock.patch.object(measure, "our_worker", side_effect=[answers(1), answers(unshared_seconds)]), \
                mock.patch.object(measure, "peak_flops", side_effect=[4e11, 3e11, 5e11, 4e11, 4e11, 4e11]), \
                mock.patch.object(measure, "say"):
            return measure.sharing("B", "fp32", "unshared")

    def test_five_pairs_are_timed_and_three_of_long_steps(self):
        self.assertEqual(self.steps(measure.LONG_STEP_S)["steps"], 5)
        self.assertEqual(self.steps(measure.LONG_STEP_S + 1)["steps"], 3)

    def test_the_largest_and_the_least_peak_are_kept(self):
        row = self.steps(2)
        self.assertEqual((row["peak_flops"], row["least_peak_flops"]), (5e11, 3e11))


class Peers(unittest.TestCase):
    def ours(self, seconds):
        worker = mock.MagicMock()
        worker.__enter__.return_value.ask.side_effect = lambda: [seconds, 1000, 64, 1e9, 2.5]
        return worker

    def compare(self, peer, error, seconds=1):
        with mock.patch.object(measure, "our_worker", return_value=self.ours(seconds)), \
                mock.patch.object(measure, "warm_peer", side_effect=error) as self.warm_peer:
            return measure.compare("B", "fp32", peer)

    def steps(self, first_seconds, seconds):
        """Counted ones beside a peer whose first step and whose later ones take so long."""
        theirs = mock.MagicMock()
        theirs.ask.side_effect = lambda: [seconds, 2000, 2.5, 16]
        with mock.patch.object(measure, "our_worker", return_value=self.ours(1)), mock.patch.object(measure, "say"), \
                mock.patch.object(measure, "warm_peer", return_value=(theirs, [first_seconds, 2000, 2.5, 16])):
            return measure.compare("B", "fp32", "P1")["steps"]

    def test_five_steps_count_and_three_where_one_takes_long(self):
        self.assertEqual(self.steps(2, measure.LONG_STEP_S), 5)
        self.assertEqual(self.steps(measure.LONG_STEP_S + 1, 2), 5)  # the first alone, or compiling
        self.assertEqual(self.steps(2, measure.LONG_STEP_S + 1), 3)

    def test_one_that_often_fails_or_is_short_of_memory_becomes_a_row(self):
        self.assertEqual(self.compare("P3", worker.Died("no such module")), {"failed": "does not run: no such module"})
        self.assertEqual(self.compare("P1", worker.Died("bad_alloc")), {"failed": "does not run: bad_alloc"})

    def test_any_other_that_fails_ends_the_benchmark(self):
        with self.assertRaisesRegex(SystemExit, "B-fp32: P1 has to run, but ended with: TypeError"):
            self.compare("P1", worker.Died("TypeError"))

    def test_one_is_not_waited_for_beyond_what_any_target_asks(self):
        for peer, seconds, limit_s in (("P1", 1, 180), ("P1", 100, 1600), ("P1c", 1, 2400)):
            row = self.compare(peer, worker.TooLong(), seconds)
            self.assertEqual(self.warm_peer.call_args.args[3], limit_s)
            if peer == "P1":
                self.assertEqual((row["peer_at_least_s"], row["steps"]), (limit_s, 3))
            else:
                self.assertEqual(row, {"failed": "compiling and the first step take over 2400 s"})


class BesideOthers(unittest.TestCase):
    def test_others_are_busy_while_a_step_is_timed_and_no_longer(self):
        before = self.children()
        with measure.busy(2):
            self.assertEqual(len(self.children() - before), 2)
        self.assertEqual(self.children(), before)

    def children(self):
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


class Workers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lock = Path(folder.name, "turn.lock")
        os.environ[worker.TURN_LOCK] = str(self.lock)
        self.addCleanup(os.environ.pop, worker.TURN_LOCK)

    def shell(self, script, **options):
        return worker.Worker("/bin/sh", "-c", script, **options)

    def test_it_answers_line_by_line(self):
        with self.shell("echo ready; while read -r x; do echo $x 2; done") as echo:
            self.assertEqual(echo.ask("1.5"), [1.5, 2])
            self.assertEqual(echo.ask("7"), [7, 2])

    def test_its_last_words_say_why_it_died(self):
        with self.shell("echo ready; read -r x; echo 'cannot allocate memory' >&2; exit 1") as dying:
            with self.assertRaisesRegex(worker.Died, "^cannot allocate memory$") as caught:
                dying.ask()
            self.assertTrue(caught.exception.is_short_of_memory())
        with self.assertRaisesRegex(worker.Died, "^no such model$"):
            self.shell("echo 'no such model' >&2; exit 3")
        with self.assertRaisesRegex(worker.Died, "^killed$"):
            self.shell("kill -9 $$")

    def test_one_that_does_not_answer_is_ended(self):
        with self.shell("echo ready; exec sleep 600") as silent:
            with self.assertRaises(worker.TooLong):
                silent.ask(limit_s=0.01)
        self.assertIsNotNone(silent.process.returncode)

    def test_a_turn_holds_the_lock(self):
        attempt = ["flock", "--nonblock", str(self.lock), "true"]
        with worker.turn():
            self.assertNotEqual(subprocess.run(attempt).returncode, 0)
        self.assertEqual(subprocess.run(attempt).returncode, 0)


if __name__ == "__main__":
    unittest.main()
