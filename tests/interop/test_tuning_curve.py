"""On the same small budget the program learns as much as a loop of autograd through transformers."""

import unittest

import peers
import program
import reference_loop

STEPS, BATCH, NUM_VALIDATION = 8, 4, 8


class TuningCurve(program.ProgramTest):
    def test_falls_at_least_as_far_as_the_reference_loop(self):
        train = program.exemplars("consumer_health.train.jsonl")
        validation = program.exemplars("consumer_health.validation.jsonl", NUM_VALIDATION)
        recipe = program.write_recipe(
            self.folder / "recipe.json", program.write_exemplars(self.folder / "train.jsonl", train), dtype="bf16",
            data={"validation": str(program.write_exemplars(self.folder / "validation.jsonl", validation))},
            optimizer={"learning_rate": 0.003, "weight_decay": 1e-5, "clip_norm": 0},
            training={"steps": STEPS, "batch_size": BATCH, "evaluate_every": STEPS})
        program.run("train", recipe)
        ours = [line["validation_loss"] for line in program.metrics(self.folder / "run") if "validation_loss" in line]

        rendered = [[peers.training_sequence(e) for e in part] for part in (train, validation)]
        # In float32, which is far faster where a processor has no bfloat16 products.
        theirs = [loss for _, loss in reference_loop.tune(peers.model(), *rendered, STEPS, BATCH, STEPS)]
        self.assertEqual((len(ours), len(theirs)), (2, 2))
        self.assertLess(abs(ours[0] - theirs[0]), 0.01)
        self.assertGreater(theirs[0] - theirs[1], 0.05)
        # The two draw other batches; a step that did not learn would lose all of the fall.
        self.assertGreater(ours[0] - ours[1], 0.9 * (theirs[0] - theirs[1]), (ours, theirs))


if __name__ == "__main__":
    unittest.main()
