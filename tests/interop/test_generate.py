"""Greedy text of `prescript generate` against greedy decoding through transformers."""

import unittest

import adapters
import peers
import program

MAX_NEW_TOKENS = 24


class Greedy(program.ProgramTest):
    def setUp(self):
        super().setUp()
        self.prompts = {"care": peers.rows_of_text(program.TEXT, 20), "noise": peers.vocabulary_rows(8, seed=4)}
        self.flags = {name: ("--adapter", f"{name}={adapters.save(self.folder / name, prompt)}")
                      for name, prompt in self.prompts.items()}
        self.records = [{k: v for k, v in record.items() if k in ("id", "question")}
                        for record in program.exemplars("held_out_questions.jsonl")]
        self.records.append({"id": "short", "question": "Reply with the single word: yes"})
        self.records.append({"id": "options", "question": "Which one is a vein?", "options": {"A": "Aorta", "B": "Cava"}})
        self.inputs = program.write_exemplars(self.folder / "in.jsonl", self.records)

    def generate(self, *flags):
        flags = ["--dtype", "fp32", "--max-new-tokens", MAX_NEW_TOKENS, "--json", *flags]
        return program.json_lines(
            program.run("generate", "--model", peers.MODEL, "--input", self.inputs, *flags).stdout)

    def expected(self, record, prompt):
        """text, num_tokens, stop."""
        rendered = peers.oracle().render({**record, "answer": "A"}, peers.hard_prompt(), "own")
        ids = peers.greedy(peers.model(), prompt, rendered["prompt_ids"], MAX_NEW_TOKENS)
        ended = ids[-1] == peers.field("tokenizer.ggml.eos_token_id")
        return peers.tokenizer().decode(ids), len(ids), "end_of_turn" if ended else "length"

    def test_equals_transformers_without_and_with_an_adapter(self):
        stops = set()
        for name, prompt in ((None, peers.no_soft_prompt()), ("care", self.prompts["care"])):
            for record, answer in zip(self.records, self.generate(*self.flags.get(name, ())), strict=True):
                with self.subTest(record["id"], adapter=name):
                    self.assertEqual((answer["id"], answer["adapter"]), (record["id"], name))
                    self.assertEqual((answer["text"], answer["num_tokens"], answer["stop"]), self.expected(record, prompt))
                    stops.add(answer["stop"])
        self.assertEqual(stops, {"end_of_turn", "length"})

    def test_under_several_adapters_at_once_equals_single_runs(self):
        together = self.generate(*self.flags["care"], *self.flags["noise"])
        alone = zip(self.generate(*self.flags["care"]), self.generate(*self.flags["noise"]), strict=True)
        self.assertEqual(together, [answer for pair in alone for answer in pair])
        self.assertNotEqual(together[0]["text"], together[1]["text"])


if __name__ == "__main__":
    unittest.main()
