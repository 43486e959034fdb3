"""Golden files of src/io, made by the gguf and safetensors packages: tests/golden/io."""

import pathlib

import gguf
import numpy as np
import safetensors.numpy
import safetensors.torch
import torch

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
# Where a block holds float16 scales: random bits there would be infinities and NaNs.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
ROWS, COLS = 3, 512


def random_blocks(random, name):
    """Bytes of a [ROWS, COLS] tensor in which every bit of every block varies."""
    if name in ("F32", "F16", "BF16"):
        values = random.standard_normal((ROWS, COLS)).astype(np.float32)
        return gguf.quantize(values, gguf.GGMLQuantizationType[name])
    block_values, block_bytes = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
    blocks = random.integers(0, 256, (ROWS * COLS // block_values, block_bytes), dtype=np.uint8)
    for offset in SCALES[name]:
        scales = random.standard_normal(len(blocks)).astype(np.float16)
        blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(-1, 2)
    return blocks.reshape(ROWS, -1)


def write_gguf(path, random):
    """A file with every metadata type and every readable tensor type; returns the tensors' values."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("test.uint8", 250)
    writer.add_int8("test.int8", -100)
    writer.add_uint16("test.uint16", 65000)
    writer.add_int16("test.int16", -30000)
    writer.add_uint32("test.uint32", 4000000000)
    writer.add_int32("test.int32", -2000000000)
    writer.add_uint64("test.uint64", 2**64 - 1)
    writer.add_int64("test.int64", -(2**62))
    writer.add_float32("test.float32", 0.1)
    writer.add_float64("test.float64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "gr\u00fc\u00dfe")
    writer.add_array("test.strings", ["a", "", "\u00df"])
    writer.add_array("test.integers", [3, -1, 2])
    writer.add_array("test.numbers", [0.5, -2.0])
    writer.add_array("test.nested", [[1, 2], [3]])
    values = {}
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        blocks = random_blocks(random, name)
        values[name] = np.ascontiguousarray(gguf.dequantize(blocks, kind)).reshape(ROWS, COLS)
        writer.add_tensor(name, blocks, raw_dtype=kind)
    writer.add_tensor("vector", np.arange(5, dtype=np.float32))
    values["vector"] = np.arange(5, dtype=np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return values


def make(directory: pathlib.Path):
    random = np.random.default_rng(20)
    values = write_gguf(directory / "every_type.gguf", random)
    safetensors.numpy.save_file(values, directory / "every_type_values.safetensors")
    torch.manual_seed(20)
    safetensors.torch.save_file(
        {
            "b_float32": torch.randn(2, 3),
            "a_float32": torch.randn(4),
            "float64": torch.randn(1, 2, dtype=torch.float64),
            "float16": torch.randn(3, 1).half(),
            "bfloat16": torch.randn(2, 2).bfloat16(),
            "int64": torch.arange(3),
            "uint8": torch.arange(7, dtype=torch.uint8),
            "bool": torch.tensor([True, False]),
            "scalar": torch.tensor(1.5),
            "empty": torch.zeros(0, 4),
            "na\u00efve \"name\"\n": torch.ones(1),
        },
        directory / "python.safetensors",
        metadata={"format": "pt"},
    )
