"""Every vocabulary-only GGUF file of llama.cpp against what its model's own tokenizer gave, and against tokenizers."""

import functools
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

import gguf
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

import gguf_metadata
import peers
import program
from golden import _tokenizer_families as families

# Vocabularies that are refused, and the reason that is given.
REFUSED = {
    "aquila": "tokenizer.ggml.pre: it is absent",
    "bert-bge": 'tokenizer.ggml.model: "bert" is not supported',
    "deepseek-llm": 'tokenizer.ggml.pre: pre-tokeniser "deepseek-llm" is not supported',
    "gpt-neox": "tokenizer.ggml.pre: it is absent",
    "nomic-bert-moe": "tokenizer.ggml.add_eos_token: true (or absent) is not supported",  # else see Unigrams
}
WITHOUT_RECORDED_IDS = {"baichuan"}
SEPARATOR = "\n__ggml_vocab_test__\n"

QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
SPLIT, BYTES = pre_tokenizers.Split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
GPT2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGIT = pre_tokenizers.Digits(individual_digits=True)
BYTE_LEVEL = {  # the normaliser and the steps of the models' own tokenizer.json
    "command-r": (normalizers.NFC(), [DIGIT, GPT2]),
    "deepseek-coder": (None, [*(SPLIT(Regex(p), "isolated") for p in
                                (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+")), DIGIT, BYTES]),
    "falcon": (None, [pre_tokenizers.Punctuation("contiguous"), GPT2, pre_tokenizers.Digits(individual_digits=False),
                      SPLIT(Regex("[0-9][0-9][0-9]"), "isolated")]),
    "gpt-2": (None, [GPT2]),
    "llama-bpe": (None, [SPLIT(Regex(families.LLAMA3), "isolated"), BYTES]),
    "mpt": (normalizers.NFC(), [GPT2]),
    "qwen2": (normalizers.NFC(), [SPLIT(Regex(families.QWEN2), "isolated"), BYTES]),
    "qwen35": (None, [SPLIT(Regex(QWEN35), "isolated"), BYTES]),
    "refact": (None, [DIGIT, GPT2]),
    "starcoder": (None, [DIGIT, GPT2]),
}
SENTENCEPIECE = {"baichuan", "gemma-4", "llama-spm", "phi-3"}


def path_of(name):
    return peers.VOCABULARIES / f"ggml-vocab-{name}.gguf"


def names():
    return sorted(path.stem.removeprefix("ggml-vocab-") for path in peers.VOCABULARIES.glob("ggml-vocab-*.gguf"))


def fields(name):
    metadata = gguf_metadata.read(path_of(name))
    return lambda key, default=None: metadata.get(f"tokenizer.ggml.{key}", default)


def merges_of_scores(pieces, scores, types):
    """What transformers makes of SentencePiece's scores."""
    normal = {piece for piece, kind in zip(pieces, types) if kind == 1}
    merges = [(score, piece[:at], piece[at:]) for piece, score in zip(pieces, scores) if piece in normal
              for at in range(1, len(piece)) if piece[:at] in normal and piece[at:] in normal]
    return [merge[1:] for merge in sorted(merges, key=lambda merge: -merge[0])]


def oracle(name):
    field = fields(name)
    pieces, types = field("tokens"), field("token_type")
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    merges = [tuple(merge.split(" ")) for merge in field("merges", [])]
    if name in BYTE_LEVEL:
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=name == "llama-bpe"))
        normalizer, steps = BYTE_LEVEL[name]
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
        tokenizer.decoder = decoders.ByteLevel()
    else:
        merges = merges or merges_of_scores(pieces, field("scores"), types)
        tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        gemma = name == "gemma-4"
        tokenizer.normalizer = families.REPLACE_SPACE if gemma else families.LEGACY
        tokenizer.decoder = decoders.Sequence(families.SPELL) if gemma else families.STRIP
    rstrip = {piece for piece in pieces if piece not in ("<unk>", "<s>", "<|endoftext|>")} if name == "phi-3" else set()
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False, rstrip=piece in rstrip)
                                  for piece, kind in zip(pieces, types) if kind in (2, 3)])
    tokenizer.add_tokens([AddedToken(piece, normalized=False, rstrip=piece in rstrip)
                          for piece, kind in zip(pieces, types) if kind == 4])
    return tokenizer


def tokenized(path, texts):
    """(answers, "") or (None, why the tokenizer is refused)."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    result = subprocess.run([program.TEXT_PROBE, "tokenize", path], input=lines, capture_output=True, text=True)
    if result.returncode == 4:
        return None, result.stderr
    assert result.returncode == 0, result.stderr
    return program.json_lines(result.stdout), ""


@functools.cache
def wide_texts():
    texts = peers.golden_tokenizer.nasty_lines(1500, seed=31)
    for path in sorted((peers.ROOT / "exemplars").glob("*.jsonl")):
        for record in program.json_lines(path.read_text())[:40]:
            texts += [record[name] for name in ("question", "context", "answer", "rationale") if record.get(name)]
    texts += ["antidisestablishmentarianism" * 300, "Ω" * 3000, " " * 1000 + "x", "\n\t " * 500, "🩺💊" * 400]
    return texts


class Vocabularies(unittest.TestCase):
    def test_all_are_accounted_for(self):
        self.assertGreaterEqual(len(names()), 19)
        self.assertEqual(set(names()), set(BYTE_LEVEL) | SENTENCEPIECE | set(REFUSED))

    def test_metadata_are_those_that_gguf_reads(self):
        for name in ("gpt-2", "llama-spm"):
            fields = gguf.GGUFReader(path_of(name)).fields
            expected = {key: field.contents() for key, field in fields.items() if not key.startswith("GGUF.")}
            self.assertEqual(gguf_metadata.read(path_of(name)), expected)

    def test_those_that_are_not_supported_are_refused_by_name(self):
        for name, reason in REFUSED.items():
            with self.subTest(name):
                answers, message = tokenized(path_of(name), [])
                self.assertIsNone(answers)
                self.assertIn(reason, message)

    def test_ids_equal_those_of_the_models_own_tokenizers(self):
        for name in set(names()) - set(REFUSED) - WITHOUT_RECORDED_IDS:
            with self.subTest(name):
                inputs = path_of(name).with_name(path_of(name).name + ".inp")
                outputs = path_of(name).with_name(path_of(name).name + ".out")
                texts = inputs.read_bytes().decode().split(SEPARATOR)
                recorded = [[int(i) for i in line.split()] for line in outputs.read_text().split("\n")]
                recorded = recorded[:len(texts)]  # gemma-4's ends with an empty line
                self.assertGreaterEqual(len(texts), 46)
                answers, message = tokenized(path_of(name), texts)
                self.assertIsNotNone(answers, message)
                for text, answer, ids in zip(texts, answers, recorded, strict=True):
                    self.assertEqual(answer["parsed"], ids, ascii(text))

    def test_ids_and_texts_equal_those_of_tokenizers(self):
        texts = wide_texts()
        for name in set(names()) - set(REFUSED):
            with self.subTest(name):
                tokenizer = oracle(name)
                answers, message = tokenized(path_of(name), texts)
                self.assertIsNotNone(answers, message)
                plain = peers.golden_tokenizer.encodings(tokenizer, texts, special_as_text=True)
                parsed = peers.golden_tokenizer.encodings(tokenizer, texts, special_as_text=False)
                for text, answer, as_text, as_special in zip(texts, answers, plain, parsed, strict=True):
                    self.assertEqual(answer["plain"], as_text.ids, ascii(text[:200]))
                    self.assertEqual(answer["parsed"], as_special.ids, ascii(text[:200]))
                    decoded = tokenizer.decode(as_text.ids, skip_special_tokens=False)
                    if "\ufffd" not in decoded:
                        self.assertEqual(answer["decoded"], decoded, ascii(text[:200]))


class Unigrams(unittest.TestCase):
    """Those of XLM-R, which a decoder would have without a token behind every text."""

    @classmethod
    def setUpClass(cls):
        field = fields("nomic-bert-moe")
        pieces, types = field("tokens"), field("token_type")
        tokenizer = Tokenizer(models.Unigram(list(zip(pieces, field("scores"))), unk_id=field("unknown_token_id")))
        cls.table = bytes(field("precompiled_charsmap"))
        tokenizer.normalizer = normalizers.Precompiled(cls.table)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        tokenizer.decoder = decoders.Metaspace()
        tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False)
                                      for piece, kind in zip(pieces, types) if kind in (2, 3)])
        tokenizer.add_tokens([AddedToken(piece, normalized=False) for piece, kind in zip(pieces, types) if kind == 4])
        cls.oracle = tokenizer

    def expect_equal(self, path, texts):
        answers, message = tokenized(path, texts)
        self.assertIsNotNone(answers, message)
        encodings = peers.golden_tokenizer.encodings(self.oracle, texts, special_as_text=False)
        for text, answer, encoding in zip(texts, answers, encodings, strict=True):
            self.assertEqual(answer["parsed"], encoding.ids, ascii(text[:200]))
        return answers

    def test_of_a_gguf_file_equal_those_of_tokenizers(self):
        data = path_of("nomic-bert-moe").read_bytes()
        flag = b"tokenizer.ggml.add_eos_token" + struct.pack("<I", 7)
        self.assertEqual(data.count(flag + b"\1"), 1)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "unigram.gguf")
            path.write_bytes(data.replace(flag + b"\1", flag + b"\0"))
            self.expect_equal(path, wide_texts())

    def test_of_tokenizer_json_equal_those_of_tokenizers(self):
        # Every character that may be normalised, alone and behind and before others.
        characters = [chr(c) for c in range(0x30000) if not 0xD800 <= c < 0xE000]
        texts = ["".join(characters[at:at + 64]) for at in range(0, len(characters), 64)]
        texts += [" ".join(f"{c}\u0301e{c}" for c in characters[at:at + 64]) for at in range(0, 0x3400, 64)]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "tokenizer.json")
            self.oracle.save(str(path))
            self.expect_equal(path, texts + wide_texts())


if __name__ == "__main__":
    unittest.main()
