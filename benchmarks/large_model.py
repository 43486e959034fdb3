"""A run on a model that is larger than memory: writes one of random weights, in the shape of Llama 3 70B at 4 bits, and trains on it.

    scripts/dev large-model FOLDER [--layers N] [--steps N] [SETTING=VALUE ...]

FOLDER takes 40 GB with 80 layers; the model stays there and is used again. The run is the demo's recipe, on one exemplar at a
time. Printed are the size of the file and of memory, the seconds of every step, and what was read from the disk in all.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import tempfile

import gguf
import numpy

from generation import copy_metadata
from measure import MODEL, PROGRAMS
from worker import ROOT

WIDTH, HIDDEN, HEADS, KV_HEADS, CONTEXT = 8192, 28672, 64, 8, 8192
KV_WIDTH = WIDTH // HEADS * KV_HEADS
GB = 1e9


def tensors(layers, vocabulary):
    """(name, shape) of all."""
    matrices = {"attn_q": (WIDTH, WIDTH), "attn_k": (KV_WIDTH, WIDTH), "attn_v": (KV_WIDTH, WIDTH),
                "attn_output": (WIDTH, WIDTH), "ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH),
                "ffn_down": (WIDTH, HIDDEN)}
    yield "token_embd.weight", (vocabulary, WIDTH)
    for layer in range(layers):
        for name, shape in matrices.items():
            yield f"blk.{layer}.{name}.weight", shape
        yield f"blk.{layer}.attn_norm.weight", (WIDTH,)
        yield f"blk.{layer}.ffn_norm.weight", (WIDTH,)
    yield "output_norm.weight", (WIDTH,)
    yield "output.weight", (vocabulary, WIDTH)


def random_blocks(count):
    """Q4_0: a scale and 32 numbers from -8 to 7, weights of a root mean square of about 1 / sqrt(WIDTH)."""
    draw = numpy.random.default_rng(1)
    blocks = draw.integers(0, 256, (count, 18), dtype=numpy.uint8)
    scales = draw.uniform(0.5, 1.5, count) / (4.6 * WIDTH ** 0.5)
    blocks[:, :2] = scales.astype(numpy.float16)[:, None].view(numpy.uint8)
    return blocks.tobytes()


def write_model(path, layers):
    """Its tokenizer is SmolLM2's."""
    reader = gguf.GGUFReader(str(MODEL))
    unfinished = path.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(str(unfinished), "llama")
    copy_metadata(reader, writer, lambda name: name.startswith("tokenizer."))
    writer.add_block_count(layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(500000.0)
    kinds = list(tensors(layers, len(reader.fields["tokenizer.ggml.tokens"].data)))
    sizes = []
    for name, shape in kinds:
        is_matrix = len(shape) == 2
        sizes.append(numpy.prod(shape) // 32 * 18 if is_matrix else shape[0] * 4)
        kind = gguf.GGMLQuantizationType.Q4_0 if is_matrix else gguf.GGMLQuantizationType.F32
        bytes_shape = (*shape[:-1], shape[-1] // 32 * 18) if is_matrix else shape
        writer.add_tensor_info(name, bytes_shape, numpy.dtype("uint8" if is_matrix else "float32"), sizes[-1], kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    blocks = random_blocks(1 << 22)
    file = writer.fout[0]
    writer.write_padding(file, file.tell())
    for (name, shape), size in zip(kinds, sizes):
        if len(shape) == 1:
            file.write(numpy.ones(shape, numpy.float32).tobytes())
        for begin in range(0, size if len(shape) == 2 else 0, len(blocks)):
            file.write(blocks[:size - begin])
        writer.write_padding(file, size)
    writer.close()
    os.replace(unfinished, path)


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev large-model")
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=80)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("settings", metavar="SETTING=VALUE", nargs="*")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    model = arguments.folder / f"random.{arguments.layers}-layers.Q4_0.gguf"
    if not model.exists():
        write_model(model, arguments.layers)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    print(f"a file of {model.stat().st_size / GB:.1f} GB, {memory / GB:.1f} GB of memory", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PROGRAMS / "prescript", "train", ROOT / "recipes" / "demo.yaml", f"base_model={model.resolve()}",
                        f"output={folder}/run", "data.validation=null", "training.batch_size=1",
                        f"training.steps={arguments.steps}", *arguments.settings], check=True, cwd=ROOT)
        for line in map(json.loads, pathlib.Path(folder, "run", "metrics.jsonl").read_text().splitlines()):
            if "share_of_peak" in line:
                print(f"step {line['step']}: {line['seconds']:.1f} s, {line['rows_computed']} rows, "
                      f"{line['flops_per_second'] / GB:.0f} GFLOP/s, loss {line['loss']:.3f}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"read from the disk, all told: {used.ru_inblock * 512 / GB:.1f} GB")


if __name__ == "__main__":
    main()
