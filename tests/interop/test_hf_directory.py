"""One model in the files that people have: HF directories as transformers writes them today and wrote them before, and
GGUF files as llama.cpp's converter makes of them. Equal weights give equal numbers, and those are transformers'."""

import copy
import json
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

RECORDS = (program.exemplars("consumer_health.validation.jsonl", 3)
           + program.exemplars("multiple_choice.validation.jsonl", 2))


def edit_json(path, change):
    """`change` alters what the file holds."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, indent=2))


def save(folder, lm, old_spelling=False, template_file=True, shard="5GB") -> pathlib.Path:
    """As transformers 5 saves a model; old_spelling: with the configuration of transformers 4."""
    lm.save_pretrained(folder, max_shard_size=shard)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=peers.tokenizer(), bos_token="<|im_start|>", eos_token="<|im_end|>", unk_token="<|endoftext|>",
        chat_template=peers.field("tokenizer.chat_template"))
    tokenizer.save_pretrained(folder, save_jinja_files=template_file)
    if old_spelling:
        edit_json(folder / "config.json", respell)
    assert (folder / "chat_template.jinja").exists() == template_file
    return folder


def respell(config):
    """The keys and values of HuggingFaceTB/SmolLM2-135M-Instruct's config.json."""
    config["rope_theta"] = int(config.pop("rope_parameters")["rope_theta"])
    config["torch_dtype"] = config.pop("dtype")
    del config["head_dim"]
    config.update(is_llama_config=True, rope_interleaved=False, rope_scaling=None, pad_token_id=2, rms_norm_eps=1e-05,
                  transformers_version="4.42.3")
    config["transformers.js_config"] = {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}}


def load(folder, dtype):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def rounded(dtype):
    return copy.deepcopy(peers.model()).to(dtype)


def gguf_header(path, config, rope_base=True, **split) -> gguf.GGUFWriter:
    """Metadata as llama.cpp's convert_hf_to_gguf.py writes it."""
    writer = gguf.GGUFWriter(path, "llama", **split)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_rope_dimension_count(config.head_dim)
    if rope_base:
        writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    for add, name in ((writer.add_token_list, "tokens"), (writer.add_token_types, "token_type"),
                      (writer.add_token_merges, "merges"), (writer.add_bos_token_id, "bos_token_id"),
                      (writer.add_eos_token_id, "eos_token_id"), (writer.add_add_bos_token, "add_bos_token")):
        add(peers.field(f"tokenizer.ggml.{name}"))
    writer.add_chat_template(peers.field("tokenizer.chat_template"))
    return writer


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def side_by_side(weight, num_heads):
    """The row order that llama.cpp gives query and key projections: the two rows of a rotary pair become neighbours."""
    rows, cols = weight.shape
    return weight.reshape(num_heads, 2, rows // num_heads // 2, cols).swapaxes(1, 2).reshape(rows, cols)


def write_gguf(path, lm, stored_type, **split) -> pathlib.Path:
    """Matrices in `stored_type`, norms in F32. Of several shards the first."""
    config = lm.config
    writer = gguf_header(path, config, **split)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in lm.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        values = numpy.ascontiguousarray(weight.float().numpy())
        if "q_proj" in name:
            values = side_by_side(values, config.num_attention_heads)
        if "k_proj" in name:
            values = side_by_side(values, config.num_key_value_heads)
        kind = stored_type if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        values = gguf.quantize(numpy.ascontiguousarray(values), kind)
        writer.add_tensor(names.get_name(name, (".weight",)), values, raw_dtype=kind)
    finish(writer)
    return min(path.parent.glob(f"{path.stem}-00001-of-*.gguf")) if split else path


def sequences(records) -> list:
    """Of what score reports, in its order."""
    return [sequence for record in records for sequence in (
        peers.option_sequences(record, False).values() if "options" in record else [peers.training_sequence(record)])]


@torch.no_grad()
def log_likelihoods(lm, records=RECORDS) -> list:
    return [peers.log_likelihood(lm, peers.no_soft_prompt(), s).item() for s in sequences(records)]


class Files(program.ProgramTest):
    def score(self, model, dtype="fp32", records=RECORDS) -> list:
        inputs = program.write_exemplars(self.folder / "in.jsonl", records)
        scores = program.json_lines(
            program.run("score", "--model", model, "--dtype", dtype, "--json", "--input", inputs).stdout)
        scores = [part for score in scores for part in score.get("options", {"": score}).values()]
        self.assertEqual([s["num_tokens"] for s in scores], [s.end - s.begin for s in sequences(records)])
        return [s["log_likelihood"] for s in scores]

    def expect_within(self, bound, scores, expected):
        for score, value in zip(scores, expected, strict=True):
            self.assertLessEqual(abs(score - value), bound * abs(value), (scores, expected))

    def expect_transformers(self, folder, scores):
        """What transformers itself reads from `folder`: template, ids, weights, configuration. Its arithmetic is float64:
        in float32 LibTorch's own error is larger than the bound."""
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        for record in RECORDS[:3]:
            turns = [{"role": "user", "content": record["question"]}, {"role": "assistant", "content": record["answer"]}]
            ids = peers.training_sequence(record).ids
            self.assertEqual(tokenizer.apply_chat_template(turns, return_dict=False)[:len(ids)], ids)
        self.expect_within(1e-5, scores, log_likelihoods(load(folder, torch.float64)))

    def expect_equal_numbers(self, folders, files):
        """Of models of the same weights."""
        first = self.score(folders[0])
        for path in folders + files:
            with self.subTest(path.name):
                self.assertEqual(self.score(path), first)
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
        lm = rounded(torch.bfloat16)
        folders = [save(self.folder / "new, shards", lm, template_file=False, shard="100MB"),
                   save(self.folder / "old", lm, old_spelling=True)]
        self.expect_equal_numbers(folders, [write_gguf(self.folder / "bf16.gguf", lm, gguf.GGMLQuantizationType.BF16)])
        self.assertGreater(len(list(folders[0].glob("*.safetensors"))), 2)

    def test_bfloat16_arithmetic_errs_at_most_twice_as_much_as_libtorchs(self):
        records = program.exemplars("consumer_health.validation.jsonl") + program.exemplars("multiple_choice.validation.jsonl", 8)
        folder = save(self.folder / "model", rounded(torch.bfloat16))
        exact, plain = (numpy.array(log_likelihoods(load(folder, dtype), records)) for dtype in (torch.float64, torch.bfloat16))
        ours = numpy.array(self.score(folder, "bf16", records))
        self.assertLessEqual(numpy.abs(ours - exact).sum(), 2 * numpy.abs(plain - exact).sum())

    def test_float16(self):
        lm = rounded(torch.float16)
        self.expect_equal_numbers([save(self.folder / "new", lm)],
                                  [write_gguf(self.folder / "f16.gguf", lm, gguf.GGMLQuantizationType.F16)])

    def test_q8_0(self):
        path = write_gguf(self.folder / "q8_0.gguf", peers.model(), gguf.GGMLQuantizationType.Q8_0)
        shards = [write_gguf(self.folder / f"{name}.gguf", peers.model(), gguf.GGMLQuantizationType.Q8_0, **split)
                  for name, split in (("by tensors", {"split_max_tensors": 100}),
                                      ("by size", {"split_max_size": 50_000_000, "small_first_shard": True}))]
        self.assertEqual(len(list(self.folder.glob("by tensors-*"))), 3)
        self.assertGreater(len(list(self.folder.glob("by size-*"))), 2)
        self.expect_equal_numbers([save(self.folder / "dequantised", peers.new_model(path))], [path, *shards])


class Templates(program.ProgramTest):
    def test_where_both_files_have_one_the_one_that_transformers_takes_is_read(self):
        folder = save(self.folder / "model", rounded(torch.bfloat16))
        own = peers.field("tokenizer.chat_template")
        edit_json(folder / "tokenizer_config.json", lambda c: c.update(chat_template=own.replace("helpful", "harmful")))
        self.assertEqual(transformers.AutoTokenizer.from_pretrained(folder).chat_template, own)
        alone = save(self.folder / "alone", rounded(torch.bfloat16), template_file=False)
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        self.assertEqual(program.score(inputs, model=folder), program.score(inputs, model=alone))


class Refusals(program.ProgramTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.sound = save(pathlib.Path(folder.name) / "sound", rounded(torch.bfloat16), shard="100MB")
        cls.config = transformers.LlamaConfig.from_pretrained(cls.sound)

    def refusal(self, model) -> str:
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        result = program.run("score", "--model", model, "--dtype", "fp32", "--json", "--input", inputs, code=4)
        self.assertEqual(result.stdout, "")
        return result.stderr

    def other(self, config=None, change=None, old_spelling=False) -> pathlib.Path:
        """A copy of the sound model with another configuration."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder)) / "model"
        shutil.copytree(self.sound, folder, copy_function=lambda a, b: pathlib.Path(b).symlink_to(a))
        (folder / "config.json").unlink()
        if config is None:
            shutil.copy(self.sound / "config.json", folder)
        else:
            config.save_pretrained(folder)
        if old_spelling:
            edit_json(folder / "config.json", respell)
        if change:
            edit_json(folder / "config.json", change)
        return folder

    def expect(self, words, model):
        message = self.refusal(model)
        for word in words:
            self.assertIn(word, message)

    def test_the_sound_model_is_none(self):
        inputs = program.write_exemplars(self.folder / "in.jsonl", RECORDS[:1])
        for old in (False, True):
            self.assertEqual(len(program.score(inputs, model=self.other(old_spelling=old))), 1)

    def test_no_rope_base(self):
        def without_either(config):
            config.pop("rope_theta", None)
            config.get("rope_parameters", {}).pop("rope_theta", None)
        for old in (False, True):
            with self.subTest(old_spelling=old):
                self.expect(["config.json", "rope_theta is missing"],
                            self.other(change=without_either, old_spelling=old))
        self.expect(["config.json", "rope_theta is missing"], self.other(change=lambda c: c.pop("rope_parameters")))

    def test_rope_scaling(self):
        factors = {
            "linear": {"factor": 2.0}, "dynamic": {"factor": 2.0},
            "yarn": {"factor": 4.0, "original_max_position_embeddings": 2048},
            "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                       "original_max_position_embeddings": 2048},
            "longrope": {"short_factor": [1.0] * 32, "long_factor": [2.0] * 32, "factor": 4.0,
                         "original_max_position_embeddings": 2048},
        }
        for name, factor in factors.items():
            config = copy.deepcopy(self.config)
            config.rope_parameters = {"rope_type": name, "rope_theta": 100000.0, **factor}
            with self.subTest(name, spelling="new"):
                self.expect(["config.json", "rope_parameters", f'"{name}"'], self.other(config))
            for key in ("type", "rope_type"):
                with self.subTest(name, spelling=key):
                    scaling = {key: name, **factor}
                    self.expect(["config.json", "rope_scaling", f'"{name}"'],
                                self.other(change=lambda c: c.update(rope_scaling=scaling), old_spelling=True))

    def test_sliding_window(self):
        self.expect(["config.json", "sliding_window"], self.other(change=lambda c: c.update(sliding_window=4096)))
        layers = ["full_attention", "sliding_attention"] * 15
        self.expect(["config.json", "sliding_attention"], self.other(change=lambda c: c.update(layer_types=layers)))

    def test_other_families(self):
        sizes = {name: getattr(self.config, name) for name in (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "head_dim", "rms_norm_eps", "tie_word_embeddings")}
        for kind in (transformers.GemmaConfig, transformers.Gemma2Config, transformers.Gemma3TextConfig,
                     transformers.MistralConfig, transformers.Qwen3Config, transformers.MixtralConfig):
            with self.subTest(kind.model_type):
                self.expect(["config.json", f'"{kind.model_type}"'], self.other(kind(**sizes)))

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
        def file(name, change, **options):
            writer = gguf_header(self.folder / f"{name}.gguf", self.config, **options)
            change(writer)
            writer.add_tensor("token_embd.weight", numpy.zeros((8, self.config.hidden_size), numpy.float32))
            finish(writer)
            return self.folder / f"{name}.gguf"
        self.expect(["base.gguf", "llama.rope.freq_base"], file("base", lambda w: None, rope_base=False))
        for kind in (gguf.RopeScalingType.LINEAR, gguf.RopeScalingType.YARN, gguf.RopeScalingType.LONGROPE):
            with self.subTest(kind.value):
                self.expect([f"{kind.value}.gguf", "rope scaling", f'"{kind.value}"'],
                            file(kind.value, lambda w: w.add_rope_scaling_type(kind)))
        self.expect(["factor.gguf", "llama.rope.scaling.factor"], file("factor", lambda w: w.add_rope_scaling_factor(4.0)))
        self.expect(["window.gguf", "sliding_window"], file("window", lambda w: w.add_sliding_window(4096)))
        self.expect(["factors.gguf", "rope_freqs.weight"], file("factors", lambda w: w.add_tensor(
            "rope_freqs.weight", numpy.ones(32, numpy.float32))))
        gemma = gguf.GGUFWriter(self.folder / "gemma.gguf", "gemma2")
        finish(gemma)
        self.expect(["gemma.gguf", '"gemma2"'], self.folder / "gemma.gguf")


if __name__ == "__main__":
    unittest.main()
