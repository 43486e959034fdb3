"""What the kernels of cuda/ compile to, and what they do on the emulator; writes docs/KERNELS.md.

    scripts/dev kernels [--check]      --check writes nothing: it only fails on a spill, a stack frame or serialized products
"""

import argparse
import collections
import json
import math
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build/kernels"
# Of an architecture: the card, threads, blocks, KiB of shared memory of a multiprocessor. Each block takes one KiB more.
ARCHITECTURES = {"sm_80": ("A100", 2048, 32, 164), "sm_90a": ("H100, H200", 2048, 32, 228), "sm_100": ("B200", 2048, 32, 228)}
COUNTED = "sm_90a"  # whose PTX the emulator runs
REGISTERS = 65536
REGISTER_UNIT = 256  # of a warp
INSTRUCTIONS = {  # columns, and the SASS they count
    "mma": r"HG?MMA\.",
    "ldmatrix": r"LDSM\.",
    "16-byte loads": r"LDG\.\S*128|LDGSTS\.\S*128",
    "16-byte stores": r"STG\.\S*128",
    "local": r"LDL|STL",
}


def run(*command):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:3]))} ...\n{result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def tool(name):
    folder = WORK / "tools"
    requirements = ROOT / "scripts/requirements-kernels.txt"
    stamp = folder / "installed"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--upgrade", "--target", folder, "-r", requirements)
        stamp.write_text(requirements.read_text())
    return next(folder.glob(f"nvidia/*/bin/{name}"))


def nvcc():
    found = [Path("/usr/local/cuda/bin/nvcc"), *ROOT.glob(".venv-cuda/lib/python3*/site-packages/nvidia/*/bin/nvcc")]
    compiler = next((path for path in found if path.exists()), None)
    return compiler or sys.exit("kernels: there is no nvcc: run scripts/setup --cuda")


def readable(names):
    """`rms_norm_kernel<bf16, 8>` of mangled names."""
    demangled = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout.splitlines()
    result = {}
    for name, text in zip(names, demangled):
        text = re.sub(r"\(anonymous namespace\)::|prescript::cuda::|prescript::|^void ", "", text)
        text = text.replace("__nv_bfloat16", "bf16").replace("(int)", "").replace("(bool)1", "true").replace("(bool)0", "false")
        text = re.sub(r"\((ActivationFunction|\w+)\)(\d+)", r"\2", text)
        depth = 0
        for i, letter in enumerate(text):  # up to the parameters
            depth += (letter == "<") - (letter == ">")
            if letter == "(" and depth == 0:
                text = text[:i]
                break
        result[name] = text
    return result


def compile_to(output, source, architecture, *options):
    return run(nvcc(), "-std=c++20", "-O3", f"-arch={architecture}", *options, "-I", ROOT, "-I", ROOT / "src", source, "-o", output)


def compile_one(source, architecture):
    """Facts of every kernel of a file, by mangled name."""
    cubin = WORK / architecture / (source.stem + ".cubin")
    cubin.parent.mkdir(parents=True, exist_ok=True)
    said = compile_to(cubin, source, architecture, "-cubin", "-Xptxas", "-v")
    kernels = {}
    for name, text in re.findall(r"Compiling entry function '(\S+)' for.*?\n(.*?)(?=Compiling entry|\Z)", said, re.S):
        def number(pattern, text=text):
            found = re.search(pattern, text)
            return int(found[1]) if found else 0

        kernels[name] = {"registers": number(r"Used (\d+) registers"), "shared": number(r"(\d+) bytes smem"),
                         "stack": number(r"(\d+) bytes stack frame"),
                         "spills": number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
                         "serialized": bool(re.search(rf"wgmma.* are serialized .*'{name}'", said))}
    for section in re.split(r"^\.nv\.info\.", run(tool("cuobjdump"), "-elf", cubin), flags=re.M)[1:]:
        name = section.split(maxsplit=1)[0]
        found = re.search(r"EIATTR_MAX_THREADS\s+Format:\s*\S+\s+Value:\s*(\S+) (\S+) (\S+)", section)
        if name in kernels and found:
            kernels[name]["threads"] = math.prod(int(word, 16) for word in found.groups())
    for name, code in re.findall(r"^\.text\.(\S+):\n(.*?)(?=^//-----|\Z)", run(tool("nvdisasm"), "-c", cubin), re.M | re.S):
        instructions = re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+ )?\s*(\S+)", code)
        if name in kernels:
            kernels[name]["instructions"] = len(instructions)
            for column, pattern in INSTRUCTIONS.items():
                kernels[name][column] = sum(1 for one in instructions if re.match(pattern, one))
    return kernels


def blocks_of_multiprocessor(architecture, threads, registers, shared):
    _, max_threads, max_blocks, shared_kib = ARCHITECTURES[architecture]
    warps = -(-threads // 32)
    of_warp = -(-registers * 32 // REGISTER_UNIT) * REGISTER_UNIT
    warps_by_registers = REGISTERS // of_warp // 4 * 4  # four schedulers, each with its own file
    limits = [max_blocks, max_threads // threads, warps_by_registers // warps, (shared_kib << 10) // (shared + 1024)]
    return min(limits)


def header_of(source):
    """{label: text} of a kernel file's first comment."""
    parts = collections.OrderedDict()
    label = ""
    for line in source.read_text().splitlines():
        if not line.startswith("//"):
            break
        found = re.match(r"//   (\w+)(?:\s\s+(.*))?$", line)
        if found:
            label = found[1]
            parts[label] = found[2] or ""
        elif label:
            parts[label] += " " + line[2:].strip()
        else:
            parts["File"] = (parts.get("File", "") + " " + line[2:].strip()).strip()
    return parts


def emulated_counts(sources):
    """What the kernels of one architecture did on the emulator, by readable name (benchmarks/kernel_counts.cc)."""
    folder = WORK / "ptx" / COUNTED
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.ptx"):
        old.unlink()
    for source in sources:
        compile_to(folder / (source.stem + ".ptx"), source, COUNTED, "-ptx")
    run(ROOT / "scripts/build", "cpu", "prescript_kernel_counts")
    lines = [json.loads(line) for line in run(ROOT / "build/cpu/bin/prescript_kernel_counts", folder).splitlines() if line.startswith("{")]
    names = readable([line["symbol"] for line in lines])
    return {names[line["symbol"]]: line for line in lines}


def dynamic_shared_of(source, name, counts):
    """As the emulator saw it launched, whatever the last argument of the template; None where it was not."""
    if "DYNAMIC_SHARED" not in source.read_text():
        return 0

    def family(one):
        return re.sub(r", (true|false)>$", ">", one)

    return next((line["dynamic_shared"] for other, line in counts.items() if family(other) == family(name)), None)


def cells_of(architecture, kernel, dynamic_shared):
    threads = kernel.get("threads", 1024)
    shared, blocks, occupancy = "not launched", "–", "–"
    if dynamic_shared is not None:
        shared = kernel["shared"] + dynamic_shared
        blocks = blocks_of_multiprocessor(architecture, threads, kernel["registers"], shared)
        occupancy = f"{100 * blocks * threads // ARCHITECTURES[architecture][1]} %"
    return [str(cell or "–") for cell in (kernel["registers"], shared, threads, blocks, occupancy,
                                          *(kernel[column] for column in list(INSTRUCTIONS)[:4]), kernel["instructions"])]


def side_by_side(*cells):
    """One where all are the same."""
    return cells[0] if len(set(cells)) == 1 else " / ".join(cells)


def tables(sources, facts, counts):
    for source in sources:
        head = header_of(source)
        yield f"## {head.get('File', source.name)}\n"
        yield from (f"* {label}: {head[label].strip()}" for label in ("Traffic", "Roofline", "Measured") if head.get(label, "").strip())
        yield ""
        columns = ["kernel", "registers", "shared", "threads", "blocks", "occupancy", *list(INSTRUCTIONS)[:4], "instructions"]
        yield "| " + " | ".join(columns) + " |\n|" + "---|" * len(columns)
        kernels = [facts[source.name, architecture] for architecture in ARCHITECTURES]
        names = readable(list(kernels[0]))
        for mangled in sorted(kernels[0], key=names.get):
            dynamic = dynamic_shared_of(source, names[mangled], counts)
            rows = [cells_of(architecture, kernel[mangled], dynamic) for architecture, kernel in zip(ARCHITECTURES, kernels)]
            yield f"| `{names[mangled]}` | " + " | ".join(map(side_by_side, *rows)) + " |"
        yield ""
        counted = sorted(name for name in names.values() if counts.get(name, {}).get("instructions"))
        if counted:
            yield "| of a launch on the emulator | instructions of threads | sectors | at least | wavefronts | conflicts |\n|" + "---|" * 6
        for name in counted:
            keys = ("instructions", "sectors", "least_sectors", "wavefronts", "conflicts")
            yield f"| `{name}` | " + " | ".join(f"{counts[name][key]:.0f}" for key in keys) + " |"
        yield ""


PREAMBLE = """# Kernels

What `scripts/dev kernels` finds: compiled, not run, for A100 (sm_80) and, where not all numbers are the same, behind slashes for H100 and H200 (sm_90a) and B200 (sm_100). *Registers* of a thread; *shared* bytes of a block, static and
dynamic; *threads* that a block may have; *blocks* of so many threads that a multiprocessor holds, and the share of its threads
(*occupancy*), where a block is that large (not told of kernels whose shared memory is known when they are launched, and that the emulator did not); then instructions of the machine code: tensor-core products, `ldmatrix`, loads and
stores of 16 bytes (`cp.async` among them), and all. A spill, a stack frame, a read of local memory or products of warpgroups that the
compiler makes wait for each other fail the command, and a spill the build. Kernels of warpgroups are empty but for H100 and H200, and move registers among their warps: the table has what a thread starts with.

The second table of a file counts what kernels do on the emulator, which runs their PTX for sm_90a, in a mean launch of `prescript_kernel_counts`: 8 rows of an
8B model's 4096 columns, attention over 16 to 128 rows. *Instructions* run by all threads; *sectors* of 32 bytes of global memory that warps ask for, beside the
least that as many bytes take; *wavefronts* of shared memory, and how many of them are bank *conflicts*: more than as many bytes take.
Caches are not modelled, and nothing here is a time.
"""


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev kernels")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/KERNELS.md")
    arguments = parser.parse_args()
    tool("nvdisasm")
    sources = [path for path in sorted((ROOT / "cuda").glob("*.cu")) if "__global__" in path.read_text()]
    pairs = [(source, architecture) for source in sources for architecture in ARCHITECTURES]
    with ThreadPoolExecutor(2) as pool:
        facts = {(source.name, architecture): kernels
                 for (source, architecture), kernels in zip(pairs, pool.map(lambda pair: compile_one(*pair), pairs))}
    bad = []
    for (name, architecture), kernels in facts.items():
        readable_names = readable(list(kernels))
        bad += [f"cuda/{name}: {readable_names[mangled]} on {architecture}: {kernel['spills']} bytes spilled, stack of {kernel['stack']} bytes, "
                f"{kernel['local']} accesses of local memory" for mangled, kernel in kernels.items()
                if kernel["spills"] or kernel["stack"] or kernel["local"]]
        bad += [f"cuda/{name}: {readable_names[mangled]} on {architecture}: its products wait for each other (ptxas: wgmma serialized)"
                for mangled, kernel in kernels.items() if kernel["serialized"]]
    text = PREAMBLE + "\n" + "\n".join(tables(sources, facts, {} if arguments.check else emulated_counts(sources)))
    if not arguments.check:
        arguments.output.write_text(text.rstrip() + "\n")
    print("\n".join(bad) if bad else f"{sum(map(len, facts.values()))} kernels, no spill", file=sys.stderr if bad else sys.stdout)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
