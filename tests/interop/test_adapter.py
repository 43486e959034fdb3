"""Adapters between the program and PEFT, in both directions."""

import copy
import json
import unittest

import peft
import torch

import adapters
import peers
import program


def loaded(adapter):
    return peft.PeftModel.from_pretrained(copy.deepcopy(peers.model()), adapter).eval()


@torch.no_grad()
def peft_log_likelihood(model, sequence):
    ids = torch.tensor(sequence.ids)
    logits = model(input_ids=ids[None]).logits[0, -len(ids) :]
    predicted = logits[sequence.begin - 1 : sequence.end - 1]
    return -torch.nn.functional.cross_entropy(predicted, ids[sequence.begin : sequence.end], reduction="sum").item()


class Ours(program.ProgramTest):
    def train(self, position):
        train = program.write_exemplars(self.folder / "train.jsonl", program.exemplars("multiple_choice.train.jsonl", 4))
        recipe = program.write_recipe(self.folder / "recipe.json", train, soft_prompt={"position": position},
                                      training={"steps": 3, "batch_size": 4})
        program.run("train", recipe, "optimizer.learning_rate=0.02")
        return self.folder / "run" / "adapter"

    def test_loads_in_peft_as_it_is_and_gives_equal_logits(self):
        adapter = self.train("start")
        model = loaded(adapter)
        prompt = model.get_prompt(1)[0].detach()
        self.assertGreater((prompt - peers.rows_of_text(program.TEXT, 20)).norm(), 0.1)  # it was trained
        records = program.exemplars("consumer_health.validation.jsonl", 3)
        scores = program.score(program.write_exemplars(self.folder / "in.jsonl", records), "--adapter", adapter)
        for record, score in zip(records, scores, strict=True):
            sequence = peers.training_sequence(record)
            with self.subTest(record["id"]), torch.no_grad():
                expected = peft_log_likelihood(model, sequence)
                self.assertLessEqual(abs(score["log_likelihood"] - expected), 1e-4 * abs(expected))
                whole = sequence._replace(begin=0, end=0)
                logits = program.probe("fp32", prompt, [whole], self.folder)["logits"][0]
                expected = model(input_ids=torch.tensor([sequence.ids])).logits[0, -1]
                self.assertLessEqual((logits - expected).abs().max(), 1e-4 * expected.std())

    def test_of_other_positions_is_not_offered_to_peft(self):
        adapter = self.train("before_question")
        self.assertFalse((adapter / "adapter_config.json").exists())
        with self.assertRaisesRegex(ValueError, "adapter_config.json"):
            loaded(adapter)
        refusal = program.run("export", adapter, "--to", "peft", "--output", self.folder / "out", code=2).stderr
        self.assertIn("PEFT", refusal)


class Theirs(program.ProgramTest):
    def test_scores_as_under_peft_with_a_warning(self):
        prompt = peers.vocabulary_rows(11, seed=3) + 0.05 * torch.randn(11, 576, generator=torch.Generator().manual_seed(5))
        adapter = adapters.save(self.folder / "theirs", prompt)
        self.assertEqual(json.loads((adapter / "adapter_config.json").read_text())["peft_type"], "PROMPT_TUNING")
        model = loaded(adapter)
        records = program.exemplars("consumer_health.validation.jsonl", 3)
        inputs = program.write_exemplars(self.folder / "in.jsonl", records)
        warning = program.run("score", "--model", peers.MODEL, "--input", inputs, "--adapter", adapter).stderr
        self.assertIn("does not say which base model", warning)
        scores = program.score(inputs, "--adapter", adapter)
        without = program.score(inputs)
        for record, score, base in zip(records, scores, without, strict=True):
            with self.subTest(record["id"]):
                expected = peft_log_likelihood(model, peers.training_sequence(record))
                self.assertLessEqual(abs(score["log_likelihood"] - expected), 1e-4 * abs(expected))
                self.assertGreater(abs(score["log_likelihood"] - base["log_likelihood"]), 1)


if __name__ == "__main__":
    unittest.main()
