"""FlashAttention-2 as PyTorch ships it, on the work that prescript_cuda_benchmark gives its own attention.

    python3 benchmarks/flash_attention.py [--json FILE]

Writes a line for each measurement, as the benchmark does, in group "flash". Cases `causal` and the like are the
same rows; `forest, unshared` computes the shared rows for every leaf, as a trainer without a prefix forest does;
`forest, in pieces` does the forest's own work in three calls, and does not merge what they give.
"""

import argparse
import json
import statistics
import sys

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

RUNS = 9
RUN_SECONDS = 4e-3
WARM_UP_SECONDS = 30e-3
SHARED, LEAVES, LEAF = 1024, 64, 100


def seconds_of(work):
    """Median, least and most of several runs of several calls."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def run(calls):
        begin.record()
        for _ in range(calls):
            work()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) * 1e-3 / calls

    run(1)
    once = max(run(3), 1e-6)
    run(max(1, int(WARM_UP_SECONDS / once)))
    runs = [run(max(1, int(RUN_SECONDS / once))) for _ in range(RUNS)]
    return statistics.median(runs), min(runs), max(runs)


def attend(q, k, v, is_causal):
    """Grouped heads go to the kernel as they are where PyTorch lets them, else K and V are repeated beforehand."""
    return scaled_dot_product_attention(q, k, v, is_causal=is_causal, enable_gqa=q.shape[1] != k.shape[1])


class Piece:
    """One call: `batch` times `queries` rows against `keys` rows."""

    def __init__(self, batch, queries, keys, is_causal, heads, kv_heads, head_size):
        def rows(count, number_of_heads):
            x = torch.randn(batch, count, number_of_heads, head_size, device="cuda", dtype=torch.bfloat16)
            return x.transpose(1, 2).requires_grad_()

        self.is_causal = is_causal
        self.inputs = [rows(queries, heads), rows(keys, kv_heads), rows(keys, kv_heads)]
        try:
            attend(*self.inputs, is_causal)
        except RuntimeError:
            self.inputs[1:] = [rows(keys, heads), rows(keys, heads)]
        pairs = queries * (queries + 1) / 2 if is_causal else queries * keys
        self.product_flops = 2 * batch * heads * head_size * pairs

    def forward(self):
        self.out = attend(*self.inputs, self.is_causal)

    def prepare_backward(self):
        self.forward()
        self.gradient = torch.randn_like(self.out)

    def backward(self):
        torch.autograd.grad(self.out, self.inputs, self.gradient, retain_graph=True)


def cases():
    def causal(rows, heads=32, kv_heads=8, head_size=128):
        return [(1, rows, rows, True, heads, kv_heads, head_size)]

    def shape(rows, heads=32, kv_heads=8, head_size=128):
        return f"{rows} rows, H {heads}, K {kv_heads}, E {head_size}"

    model = (32, 8, 128)
    forest = f"{SHARED} rows, {LEAVES} leaves of {LEAF}, H 32, K 8, E 128"
    yield "causal", shape(4096), causal(4096)
    yield "forest, unshared", forest, [(LEAVES, SHARED + LEAF, SHARED + LEAF, True, *model)]
    yield "forest, in pieces", forest, [(1, LEAVES * LEAF, SHARED, False, *model), (1, SHARED, SHARED, True, *model),
                                        (LEAVES, LEAF, LEAF, True, *model)]
    yield "causal", shape(1024), causal(1024)
    yield "causal", shape(8192), causal(8192)
    for extents in ((32, 32, 128), (32, 8, 64), (16, 4, 256)):
        yield "causal", shape(4096, *extents), causal(4096, *extents)


def measurements():
    for name, shape, pieces in cases():
        try:
            made = [Piece(*piece) for piece in pieces]
            flops = sum(piece.product_flops for piece in made)
            with torch.no_grad():
                seconds = seconds_of(lambda: [piece.forward() for piece in made])
            yield name + ", forward", shape, 2 * flops, seconds
            for piece in made:
                piece.prepare_backward()
            yield name + ", backward", shape, 5 * flops, seconds_of(lambda: [piece.backward() for piece in made])
        except RuntimeError as error:
            yield name, shape, 0, str(error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", default="/dev/null", help="a line of JSON for each measurement is added to this file")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("there is no CUDA card")
    with open(arguments.json, "a", encoding="utf-8") as file, sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        for name, shape, flops, result in measurements():
            line = {"group": "flash", "name": name, "shape": shape}
            if isinstance(result, str):
                line["failed"] = result
                print(f"flash     {name}: {result}", file=sys.stderr)
            else:
                seconds, fastest, slowest = result
                line |= {"seconds": seconds, "fastest": fastest, "slowest": slowest, "bytes": 0, "flops": flops}
                print(f"flash     {name:32} {shape:44} {1e6 * seconds:12.1f} us {1e-12 * flops / seconds:8.1f} TFLOP/s")
            print(json.dumps(line), file=file, flush=True)


if __name__ == "__main__":
    main()
