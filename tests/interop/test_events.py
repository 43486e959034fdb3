"""TensorBoard reads the event file of a run: the scalars of metrics.jsonl."""

import struct
import unittest

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import program


def float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class Events(program.ProgramTest):
    def test_hold_what_metrics_hold(self):
        records = program.exemplars("multiple_choice.train.jsonl", 4)
        recipe = program.write_recipe(
            self.folder / "recipe.json", program.write_exemplars(self.folder / "train.jsonl", records[:3]),
            data={"validation": str(program.write_exemplars(self.folder / "validation.jsonl", records[3:]))},
            training={"steps": 4, "batch_size": 2, "evaluate_every": 2},
            optimizer={"schedule": "cosine", "warmup_steps": 2})
        program.run("train", recipe)
        run = self.folder / "run"
        expected = {}
        for line in program.metrics(run):
            for tag in ("loss", "grad_norm", "learning_rate", "validation_loss"):
                if tag in line:
                    expected.setdefault(tag, []).append((line["step"], float32(line[tag])))
        self.assertEqual([step for step, _ in expected["validation_loss"]], [0, 2, 4])
        self.assertEqual([step for step, _ in expected["loss"]], [1, 2, 3, 4])

        events = EventAccumulator(str(run))  # finds the file by its name
        events.Reload()
        self.assertEqual(sorted(events.Tags()["scalars"]), sorted(expected))
        for tag, scalars in expected.items():
            self.assertEqual([(event.step, event.value) for event in events.Scalars(tag)], scalars, tag)


if __name__ == "__main__":
    unittest.main()
