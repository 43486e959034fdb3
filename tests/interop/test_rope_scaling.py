"""Scaled rotary positions in HF directories, in both spellings, and in GGUF files: transformers' numbers."""

import math
import pathlib
import tempfile
import unittest

import gguf
import numpy
import torch

import model_files
import peers
import program

RECORDS = program.exemplars("consumer_health.validation.jsonl", 1)
THETA = peers.field("llama.rope.freq_base")
SHORT_FACTORS = [1 + i / 8 for i in range(32)]
SCALINGS = {
    "linear": {"factor": 2.0},
    "dynamic": {"factor": 2.0},
    "yarn": {"factor": 4.0, "original_max_position_embeddings": 2048},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    "longrope": {"short_factor": SHORT_FACTORS, "long_factor": [2.0] * 32, "factor": 4.0,
                 "original_max_position_embeddings": 2048},
}


def llama3_divisors(factor, low_freq_factor, high_freq_factor, original_max_position_embeddings):
    """Of each pair's frequency, as convert_hf_to_gguf.py computes them."""
    divisors = []
    for i in range(32):
        wavelength = 2 * math.pi * THETA ** (i / 32)
        smooth = (original_max_position_embeddings / wavelength - low_freq_factor) / (high_freq_factor - low_freq_factor)
        smooth = min(max(smooth, 0), 1)
        divisors.append(1 / ((1 - smooth) / factor + smooth))
    return divisors


def tensor(writer, name, values):
    writer.add_tensor(name, numpy.array(values, numpy.float32))


def add_linear(writer):
    writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
    writer.add_rope_scaling_factor(2.0)


def add_yarn(writer):
    writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
    writer.add_rope_scaling_factor(4.0)
    writer.add_rope_scaling_orig_ctx_len(2048)


def add_longrope(writer):
    writer.add_rope_scaling_orig_ctx_len(2048)
    writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(4.0) / math.log(2048)))
    tensor(writer, "rope_factors_short.weight", SHORT_FACTORS)
    tensor(writer, "rope_factors_long.weight", SCALINGS["longrope"]["long_factor"])


GGUF = {  # (scaling, what a file of it is called) -> what it adds
    ("linear", "linear"): add_linear,
    ("linear", "untyped"): lambda writer: writer.add_rope_scaling_factor(2.0),
    ("yarn", "yarn"): add_yarn,
    ("llama3", "llama3"): lambda writer: tensor(writer, "rope_freqs.weight", llama3_divisors(**SCALINGS["llama3"])),
    ("longrope", "longrope"): add_longrope,
}


class RopeScaling(model_files.ScoreTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.lm = peers.model(torch.bfloat16)
        cls.unscaled = model_files.save(pathlib.Path(folder.name) / "unscaled", cls.lm)

    def hf_directories(self, name):
        """The configuration of transformers 5, and the two of transformers 4."""
        scaling = SCALINGS[name]
        yield model_files.with_config(self.folder / f"{name}, new", self.unscaled, lambda config: config.update(
            rope_parameters={"rope_type": name, "rope_theta": THETA, **scaling}))
        for key in ("type", "rope_type"):
            yield model_files.with_config(self.folder / f"{name}, old, {key}", self.unscaled, lambda config: config.update(
                rope_scaling={key: name, **scaling}), old_spelling=True)

    def test_each_kind_of_file_gives_transformers_numbers(self):
        unscaled = self.score(self.unscaled, RECORDS)
        for name in SCALINGS:
            folders = list(self.hf_directories(name))
            expected = model_files.log_likelihoods(model_files.load(folders[0], torch.float64), RECORDS)
            if name == "dynamic":  # it begins behind the model's context
                self.expect_within(1e-5, unscaled, expected)
            else:
                self.assertGreater(abs(unscaled[0] - expected[0]), 1e-2 * abs(expected[0]))
            files = [model_files.write_gguf(self.folder / f"{file}.gguf", self.lm, gguf.GGMLQuantizationType.BF16, add)
                     for (scaling, file), add in GGUF.items() if scaling == name]
            for path in folders + files:
                with self.subTest(path.name):
                    self.expect_within(1e-5, self.score(path, RECORDS), expected)


if __name__ == "__main__":
    unittest.main()
