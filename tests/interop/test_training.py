"""What `prescript train` computes against autograd through transformers, on sequences rendered by the oracle."""

import json
import unittest

import torch
import transformers
from safetensors.torch import load_file

import peers
import program

INSTRUCTION = "You are a physician. Answer for a lay reader."


class OneStep(program.ProgramTest):
    """Loss and gradient of step 1, whose batch is the whole set: the order of exemplars does not matter."""

    def expect_equal_step(self, recipe, sequences, overrides=("training.share=true",)):
        prompt = peers.rows_of_text(program.TEXT, 20)
        # In float64: transformers' own float32 gradient is off by up to 4e-4 here (numerics.py).
        oracle_loss, oracle_gradient = peers.loss_and_gradient(peers.model(torch.float64), prompt.double(), sequences)
        for override in overrides:
            with self.subTest(override):
                loss, gradient = program.gradient(recipe, self.folder, override)
                self.assertLessEqual(abs(loss - oracle_loss), 1e-5 * oracle_loss)
                self.assertLessEqual((gradient - oracle_gradient).norm(), 1e-4 * oracle_gradient.norm())

    def chat(self, position):
        """A recipe and its sequences."""
        records = program.exemplars("consumer_health.train.jsonl", 4)
        recipe = program.write_recipe(
            self.folder / "recipe.json", program.write_exemplars(self.folder / "train.jsonl", records),
            data={"instruction": INSTRUCTION}, training={"batch_size": 4}, soft_prompt={"position": position})
        prompt, before_question = peers.hard_prompt(INSTRUCTION), position == "before_question"
        return recipe, [peers.training_sequence(e, prompt, before_question=before_question) for e in records]

    def test_equals_autograd_with_an_instruction_shared_or_not_in_one_pass_or_several(self):
        overrides = "training.share=true", "training.share=false", "training.micro_batch_tokens=300"
        self.expect_equal_step(*self.chat("start"), overrides)

    def test_equals_autograd_with_the_soft_prompt_before_the_question(self):
        self.expect_equal_step(*self.chat("before_question"))

    def test_equals_autograd_in_plain_format_with_rationales_and_few_shot_exemplars(self):
        records = program.exemplars("multiple_choice.train.jsonl", 5)
        recipe = program.write_recipe(
            self.folder / "recipe.json", program.write_exemplars(self.folder / "train.jsonl", records),
            data={"format": "plain", "few_shot": 2, "rationale": True}, training={"batch_size": 3})
        drawn = json.loads(program.run("inspect", recipe, "--json").stdout)["hard_prompt"]["few_shot"]
        self.assertEqual(len(drawn), 2)
        prompt = peers.hard_prompt(few_shot=[e for e in records if e["id"] in drawn], rationale=True)
        rest = [e for e in records if e["id"] not in drawn]
        self.expect_equal_step(recipe, [peers.training_sequence(e, prompt, "plain") for e in rest])


class Run(program.ProgramTest):
    def test_equals_four_steps_of_adamw_through_transformers(self):
        records = program.exemplars("consumer_health.train.jsonl", 2)
        recipe = program.write_recipe(
            self.folder / "recipe.json", program.write_exemplars(self.folder / "train.jsonl", records),
            optimizer={"learning_rate": 0.01, "weight_decay": 0.1, "clip_norm": 0.05}, training={"steps": 4, "batch_size": 2})
        program.run("train", recipe)
        steps = program.metrics(self.folder / "run")
        self.assertEqual([line["step"] for line in steps], [1, 2, 3, 4])

        sequences = [peers.training_sequence(e) for e in records]
        start = peers.rows_of_text(program.TEXT, 20).double()  # transformers' own float32 gradient is off (above)
        prompt = start.clone().requires_grad_(True)
        optimizer = torch.optim.AdamW([prompt], lr=0.01, weight_decay=0.1)
        for line in steps:
            loss, prompt.grad = peers.loss_and_gradient(peers.model(torch.float64), prompt, sequences)
            norm = torch.nn.utils.clip_grad_norm_([prompt], 0.05).item()
            self.assertGreater(norm, 0.05)  # else nothing is clipped
            self.assertLessEqual(abs(line["loss"] - loss), 1e-5 * loss, line)
            self.assertLessEqual(abs(line["grad_norm"] - norm), 1e-3 * norm, line)
            optimizer.step()
        trained = load_file(self.folder / "run" / "adapter" / "adapter_model.safetensors")["prompt_embeddings"]
        # Adam divides by the gradient's own size: where that is rounding noise, so is the update.
        self.assertLessEqual((trained - prompt).norm(), 1e-3 * (prompt - start).norm())

    def test_equals_three_steps_of_adafactor_through_transformers(self):
        records = program.exemplars("consumer_health.train.jsonl", 2)
        train = program.write_exemplars(self.folder / "train.jsonl", records)
        sequences = [peers.training_sequence(e) for e in records]
        for num_virtual_tokens in (1, 7):
            with self.subTest(num_virtual_tokens=num_virtual_tokens):
                recipe = program.write_recipe(
                    self.folder / "recipe.json", train, soft_prompt={"num_virtual_tokens": num_virtual_tokens},
                    optimizer={"name": "adafactor", "learning_rate": 0.005, "weight_decay": 0.1, "clip_norm": 0},
                    training={"steps": 3, "batch_size": 2})
                program.run("train", recipe, "--overwrite")

                start = peers.rows_of_text(program.TEXT, num_virtual_tokens).double()
                prompt = torch.nn.Parameter(start.clone())
                optimizer = transformers.optimization.Adafactor(
                    [prompt], lr=0.005, weight_decay=0.1, scale_parameter=False, relative_step=False, warmup_init=False)
                for line in program.metrics(self.folder / "run"):
                    loss, prompt.grad = peers.loss_and_gradient(peers.model(torch.float64), prompt, sequences)
                    # Behind the first step the rounding of all gradients so far shows.
                    self.assertLessEqual(abs(line["loss"] - loss), (1e-5 if line["step"] == 1 else 1e-4) * loss, line)
                    optimizer.step()
                trained = load_file(self.folder / "run" / "adapter" / "adapter_model.safetensors")["prompt_embeddings"]
                self.assertLessEqual((trained - prompt).norm(), 1e-3 * (prompt - start).norm())


class Start(program.ProgramTest):
    def test_class_labels_are_the_means_of_their_tokens_and_the_rest_is_vocabulary(self):
        labels = ["Yes", " no", "(A)", "It is advisable to see a physician."]
        recipe = program.write_recipe(
            self.folder / "recipe.json",
            program.write_exemplars(self.folder / "train.jsonl", program.exemplars("consumer_health.train.jsonl", 1)),
            optimizer={"learning_rate": 0}, training={"steps": 1, "batch_size": 1})
        settings = json.loads(recipe.read_text())
        settings["soft_prompt"] = {"num_virtual_tokens": 10, "init": {"from": "class_labels", "labels": labels}}
        recipe.write_text(json.dumps(settings))
        program.run("train", recipe)
        rows = load_file(self.folder / "run" / "adapter" / "adapter_model.safetensors")["prompt_embeddings"]
        embedding = peers.model().get_input_embeddings().weight
        for row, label in zip(rows, labels):
            ids = peers.tokenizer().encode(label, add_special_tokens=False).ids
            torch.testing.assert_close(row, embedding[ids].double().mean(0).float(), rtol=1e-6, atol=1e-8)
        self.assertGreater(len(ids), 5)
        for row in rows[len(labels):]:
            self.assertTrue((embedding == row).all(dim=1).any())


if __name__ == "__main__":
    unittest.main()
