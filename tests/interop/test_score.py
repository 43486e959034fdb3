"""Log-likelihoods of `prescript score` against transformers, item by item."""

import unittest

import torch

import adapters
import peers
import program

INSTRUCTION = "Answer as a careful clinician."


class Score(program.ProgramTest):
    def expect_equal(self, score, prompt, sequence):
        self.assertEqual(score["num_tokens"], sequence.end - sequence.begin)
        with torch.no_grad():
            expected = peers.log_likelihood(peers.model(), prompt, sequence).item()
        self.assertLessEqual(abs(score["log_likelihood"] - expected), 1e-4 * abs(expected))

    def test_answers_under_no_one_and_two_adapters(self):
        prompts = {None: peers.no_soft_prompt(), "a": peers.vocabulary_rows(5, seed=1), "b": peers.vocabulary_rows(20, seed=2)}
        records = program.exemplars("consumer_health.validation.jsonl", 4)
        records = [{**r, "id": f"{r['id']} {name}", "adapter": name} for r in records[:3] for name in prompts] + records[3:]
        flags = [flag for name in "ab" for flag in ("--adapter", f"{name}={adapters.save(self.folder / name, prompts[name])}")]
        scores = program.score(program.write_exemplars(self.folder / "in.jsonl", records), *flags)
        named = [(r, r["adapter"]) for r in records[:-1]] + [(records[-1], "a"), (records[-1], "b")]
        for (record, name), score in zip(named, scores, strict=True):
            with self.subTest(record["id"], adapter=name):
                self.assertEqual((score["id"], score["adapter"]), (record["id"], name))
                self.expect_equal(score, prompts[name], peers.training_sequence(record))

    def test_options_by_letter_and_by_text_in_both_formats(self):
        records = program.exemplars("multiple_choice.validation.jsonl", 3)
        inputs = program.write_exemplars(self.folder / "in.jsonl", records)
        prompt = peers.vocabulary_rows(7)
        adapter = adapters.save(self.folder / "a", prompt)
        for by, format in (("letter", "chat"), ("text", "chat"), ("text", "plain")):
            scores = program.score(inputs, "--adapter", adapter, "--by", by, "--format", format, "--instruction", INSTRUCTION)
            for record, score in zip(records, scores, strict=True):
                expected = peers.option_sequences(record, by == "text", peers.hard_prompt(INSTRUCTION), format)
                self.assertEqual(list(score["options"]), list(expected))
                for letter, sequence in expected.items():
                    with self.subTest(record["id"], by=by, format=format, option=letter):
                        self.expect_equal(score["options"][letter], prompt, sequence)


if __name__ == "__main__":
    unittest.main()
