"""SmolLM2 in the files that people have, and what a model in such files scores: HF directories as transformers writes them
today and wrote them before, and GGUF files as llama.cpp's converter makes of them."""

import json
import pathlib
import shutil

import gguf
import numpy
import torch
import transformers

import peers
import program


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


def with_config(folder, sound, change=None, old_spelling=False) -> pathlib.Path:
    """Links to the files of the model in `sound`, and a configuration that `change` alters."""
    shutil.copytree(sound, folder, copy_function=lambda a, b: pathlib.Path(b).symlink_to(a))
    (folder / "config.json").unlink()
    shutil.copy(sound / "config.json", folder)
    if old_spelling:
        edit_json(folder / "config.json", respell)
    if change:
        edit_json(folder / "config.json", change)
    return folder


def load(folder, dtype):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()


def gguf_header(path, config, **split) -> gguf.GGUFWriter:
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


def write_gguf(path, lm, stored_type, add=lambda writer: None, **split) -> pathlib.Path:
    """Matrices in `stored_type`, norms in F32; `add` writes more. Of several shards the first."""
    config = lm.config
    writer = gguf_header(path, config, **split)
    add(writer)
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
def log_likelihoods(lm, records) -> list:
    return [peers.log_likelihood(lm, peers.no_soft_prompt(), s).item() for s in sequences(records)]


class ScoreTest(program.ProgramTest):
    def score(self, model, records, dtype="fp32") -> list:
        inputs = program.write_exemplars(self.folder / "in.jsonl", records)
        scores = program.json_lines(
            program.run("score", "--model", model, "--dtype", dtype, "--json", "--input", inputs).stdout)
        scores = [part for score in scores for part in score.get("options", {"": score}).values()]
        self.assertEqual([s["num_tokens"] for s in scores], [s.end - s.begin for s in sequences(records)])
        return [s["log_likelihood"] for s in scores]

    def expect_within(self, bound, scores, expected):
        for score, value in zip(scores, expected, strict=True):
            self.assertLessEqual(abs(score - value), bound * abs(value), (scores, expected))
