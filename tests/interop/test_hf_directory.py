"""One model in the files that people have (model_files.py). Equal weights give equal numbers, and those are transformers'."""

import pathlib
import shutil
import tempfile
import unittest

import gguf
import numpy
import torch
import transformers

import peers
import program
from model_files import ScoreTest, edit_json, finish, gguf_header, load, log_likelihoods, save, with_config, write_gguf

RECORDS = program.exemplars("consumer_health.validation.jsonl", 2)


class Files(ScoreTest):
    def expect_transformers(self, folder, scores):
        """What transformers itself reads from `folder`: template, ids, weights, configuration. Its arithmetic is float64:
        in float32 LibTorch's own error is larger than the bound."""
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        for record in RECORDS:
            turns = [{"role": "user", "content": record["question"]}, {"role": "assistant", "content": record["answer"]}]
            ids = peers.training_sequence(record).ids
            self.assertEqual(tokenizer.apply_chat_template(turns, return_dict=False)[:len(ids)], ids)
        self.expect_within(1e-5, scores, log_likelihoods(load(folder, torch.float64), RECORDS))

    def expect_equal_numbers(self, folders, files):
        """Of models of the same weights."""
        first = self.score(folders[0], RECORDS)
        for path in folders[1:] + files:
            with self.subTest(path.name):
                self.assertEqual(self.score(path, RECORDS), first)
        for folder in folders:
            with self.subTest(folder.name, peer="transformers"):
                self.expect_transformers(folder, first)

    def test_float32(self):
        lm = peers.model()
        self.expect_equal_numbers(
            [save(self.folder / "new", lm),
             save(self.folder / "old, shards", lm, old_spelling=True, template_file=False, shard="200MB")],
            [write_gguf(self.folder / "f32.gguf", lm, gguf.GGMLQuantizationType.F32), peers.MODEL])
        self.assertGreater(len(list((self.folder / "old, shards").glob("*.safetensors"))), 2)

    def test_bfloat16(self):
        lm = peers.model(torch.bfloat16)
        folders = [save(self.folder / "new, shards", lm, template_file=False, shard="100MB"),
                   save(self.folder / "old", lm, old_spelling=True)]
        self.expect_equal_numbers(folders, [write_gguf(self.folder / "bf16.gguf", lm, gguf.GGMLQuantizationType.BF16)])
        self.assertGreater(len(list(folders[0].glob("*.safetensors"))), 2)

    def test_bfloat16_arithmetic_errs_at_most_twice_as_much_as_libtorchs(self):
        records = program.exemplars("consumer_health.validation.jsonl")
        folder = save(self.folder / "model", peers.model(torch.bfloat16))
        exact, plain = (numpy.array(log_likelihoods(load(folder, dtype), records)) for dtype in (torch.float64, torch.bfloat16))
        ours = numpy.array(self.score(folder, records, "bf16"))
        self.assertLessEqual(numpy.abs(ours - exact).sum(), 2 * numpy.abs(plain - exact).sum())

    def test_float16(self):
        lm = peers.model(torch.float16)
        self.expect_equal_numbers([save(self.folder / "new", lm)],
                                  [write_gguf(self.folder / "f16.gguf", lm, gguf.GGMLQuantizationType.F16)])

    def test_without_a_rope_base_it_is_that_of_transformers(self):
        def without_either(config):
            config.pop("rope_theta", None)
            config.get("rope_parameters", {}).pop("rope_theta", None)
        sound = save(self.folder / "sound", peers.model(torch.float16))
        folders = [with_config(self.folder / f"absent {old}", sound, without_either, old) for old in (False, True)]
        theta = transformers.LlamaConfig.from_pretrained(folders[0]).rope_parameters["rope_theta"]
        self.assertNotEqual(theta, transformers.LlamaConfig.from_pretrained(sound).rope_parameters["rope_theta"])
        named = with_config(self.folder / "named", sound, lambda config: config["rope_parameters"].update(rope_theta=theta))
        self.expect_equal_numbers([named], folders)

    def test_q8_0(self):
        path = write_gguf(self.folder / "q8_0.gguf", peers.model(), gguf.GGMLQuantizationType.Q8_0)
        shards = [write_gguf(self.folder / f"{name}.gguf", peers.model(), gguf.GGMLQuantizationType.Q8_0, **split)
                  for name, split in (("by tensors", {"split_max_tensors": 100}),
                                      ("by size", {"split_max_size": 50_000_000, "small_first_shard": True}))]
        self.assertEqual(len(list(self.folder.glob("by tensors-*"))), 3)
        self.assertGreater(len(list(self.folder.glob("by size-*"))), 2)
        self.expect_equal_numbers([save(self.folder / "dequantised", peers.new_model(peers.state_dict(path)))], [path, *shards])


class Templates(program.ProgramTest):
    def test_where_both_files_have_one_the_one_that_transformers_takes_is_read(self):
        folder = save(self.folder / "model", peers.model(torch.bfloat16))
        own = peers.field("tokenizer.chat_template")
        edit_json(folder / "tokenizer_config.json", lambda c: c.update(chat_template=own.replace("helpful", "harmful")))
        self.assertEqual(transformers.AutoTokenizer.from_pretrained(folder).chat_template, own)
        alone = save(self.folder / "alone", peers.model(torch.bfloat16), template_file=False)
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        self.assertEqual(program.score(inputs, model=folder), program.score(inputs, model=alone))


class Refusals(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.sound = save(pathlib.Path(folder.name) / "sound", peers.model(torch.bfloat16), shard="100MB")
        cls.config = transformers.LlamaConfig.from_pretrained(cls.sound)

    def refusal(self, model) -> str:
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        result = program.run("score", "--model", model, "--dtype", "fp32", "--json", "--input", inputs, code=4)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def other(self, change=None, old_spelling=False) -> pathlib.Path:
        """A copy of the sound model with another configuration."""
        return with_config(pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "model", self.sound, change, old_spelling)

    def expect(self, words, model):
        message = self.refusal(model)
        for word in words:
            self.assertIn(word, message)

    def test_the_sound_model_is_none(self):
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        for old in (False, True):
            self.assertEqual(len(program.score(inputs, model=self.other(old_spelling=old))), 1)

    def test_an_unknown_rope_scaling(self):
        scaling = {"rope_type": "mrope", "factor": 2.0}
        self.expect(["config.json", "rope_parameters", '"mrope"'],
                    self.other(lambda c: c["rope_parameters"].update(scaling)))
        self.expect(["config.json", "rope_scaling", '"mrope"'],
                    self.other(lambda c: c.update(rope_scaling=scaling), old_spelling=True))

    def test_other_families(self):
        for kind in (transformers.GemmaConfig, transformers.MixtralConfig, transformers.FalconConfig, transformers.MambaConfig):
            with self.subTest(kind.model_type):
                self.expect(["config.json", f'"{kind.model_type}"'], self.other(lambda c: c.update(kind().to_dict())))

    def test_a_missing_shard(self):
        for shard in sorted(self.sound.glob("*.safetensors")):
            with self.subTest(shard.name):
                folder = self.other()
                (folder / shard.name).unlink()
                self.expect([shard.name], folder)
        folder = self.other()
        (folder / "model.safetensors.index.json").unlink()
        self.expect(["model.safetensors.index.json"], folder)

    def test_a_tensor_that_the_index_does_not_list(self):
        folder = self.other()
        index = folder / "model.safetensors.index.json"
        index.unlink()
        shutil.copy(self.sound / index.name, index)
        name = "model.layers.7.mlp.up_proj.weight"
        edit_json(index, lambda value: value["weight_map"].pop(name))
        self.expect([name, "is missing"], folder)

    def test_gguf(self):
        def file(name, change):
            writer = gguf_header(self.folder / f"{name}.gguf", self.config)
            change(writer)
            writer.add_tensor("token_embd.weight", numpy.zeros((8, self.config.hidden_size), numpy.float32))
            finish(writer)
            return self.folder / f"{name}.gguf"
        for kind in (gguf.RopeScalingType.LINEAR, gguf.RopeScalingType.YARN):
            with self.subTest(kind.value):
                self.expect([f"{kind.value}.gguf", "llama.rope.scaling.factor", "missing"],
                            file(kind.value, lambda w: w.add_rope_scaling_type(kind)))
        self.expect(["longrope.gguf", "rope scaling", '"longrope"'],
                    file("longrope", lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.LONGROPE)))
        self.expect(["factors.gguf", "rope_freqs.weight", "32 numbers"], file("factors", lambda w: w.add_tensor(
            "rope_freqs.weight", numpy.ones(16, numpy.float32))))
        mamba = gguf.GGUFWriter(self.folder / "mamba.gguf", "mamba")
        finish(mamba)
        self.expect(["mamba.gguf", '"mamba"'], self.folder / "mamba.gguf")


if __name__ == "__main__":
    unittest.main()
