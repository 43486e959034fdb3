"""Tiny tokenizers of the common model families, put together as their tokenizer.json files are, and trained here.

`tokenizers()` gives {name: Tokenizer}; `scored(tokenizer)` gives the pieces, scores and types that the same vocabulary has
in a GGUF file of SentencePiece's BPE. `character_table(changes)` is a table of normalisation as SentencePiece compiles them.
"""

import itertools
import json
import struct

from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

SPACE = "▁"
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
          r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

REPLACE_SPACE = normalizers.Replace(" ", SPACE)
LEGACY = normalizers.Sequence([normalizers.Prepend(SPACE), REPLACE_SPACE])
SPELL = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
STRIP = decoders.Sequence([*SPELL, decoders.Strip(" ", 1, 0)])


def special(*texts, **flags):
    return [AddedToken(text, special=True, normalized=False, **flags) for text in texts]


def bos(tokenizer, token):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{token} $A", pair=f"{token} $A {token} $B", special_tokens=[(token, tokenizer.token_to_id(token))])


def sentencepiece_bpe(texts, specials, normalizer, decoder, pre_tokenizer=None, size=460):
    """The pieces of a trained vocabulary with the merges that transformers makes of SentencePiece's scores."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = LEGACY
    trained.pre_tokenizer = pre_tokenizers.Split(SPACE, "merged_with_next")
    trained.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=size - len(specials) - 256, show_progress=False))
    pieces = sorted(trained.get_vocab(), key=trained.get_vocab().get)
    merged = [piece for piece in pieces if len(piece) > 1]
    characters = [piece for piece in pieces if len(piece) == 1]
    vocabulary = {piece: i for i, piece in enumerate([*specials, *BYTES, *merged, *characters])}
    merges = [(piece[:at], piece[at:]) for piece in merged for at in range(1, len(piece))
              if piece[:at] in vocabulary and piece[at:] in vocabulary]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=specials[0], fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    return tokenizer


def byte_level_bpe(texts, specials, steps, normalizer=None, size=420, **options):
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Sequence(steps)
    trained.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    model = json.loads(trained.to_str())["model"]
    tokenizer = Tokenizer(models.BPE(model["vocab"], [tuple(merge) for merge in model["merges"]], **options))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = trained.pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special(*specials))
    return tokenizer


def character_table(changes):
    """A double-array trie of the keys, as Darts-clone lays it out, and the texts that they become."""
    texts, trie = b"", {}
    for key, text in changes.items():
        node = trie
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += text.encode() + b"\0"
    units, bases = {0: 0}, set()

    def place(node, at):
        cells = [byte or 0 for byte in node]  # a key's value lies in that of the byte 0
        base = next(base for base in itertools.count(1) if base not in bases and not any(base ^ cell in units for cell in cells))
        bases.add(base)
        units[at] |= (at ^ base) << 10 | (None in node) << 8
        units.update({base ^ (byte or 0): 1 << 31 | child if byte is None else byte for byte, child in node.items()})
        for byte, child in node.items():
            if byte is not None:
                place(child, base ^ byte)

    place(trie, 0)
    size = (max(units) | 255) + 1
    return struct.pack("<I", 4 * size) + struct.pack(f"<{size}I", *(units.get(i, 0) for i in range(size))) + texts


# Of every kind: white space, a ligature, what is left out, a letter with its mark, a key that begins another.
CHANGES = {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u200b": "", "ﬁ": "fi", "½": "1⁄2", "²": "2", "e\u0301": "é",
           "\u1112\u1161": "하", "한": "한", "日": "日", "日本": "JP", "Ⅳ": "IV", "\ufeff": "", "\U0001f9ec": "DNA", "...": "…"}


def unigram(texts, byte_fallback):
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(texts, trainers.UnigramTrainer(
        vocab_size=260, show_progress=False, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"]))
    vocabulary = [tuple(entry) for entry in json.loads(trained.to_str())["model"]["vocab"]]
    if byte_fallback:
        vocabulary += [(piece, 0.0) for piece in BYTES]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=0, byte_fallback=byte_fallback))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(SPELL) if byte_fallback else decoders.Metaspace()
    tokenizer.add_special_tokens(special("<unk>", "<s>", "</s>"))
    return tokenizer


def normalized_unigram(texts):
    """As transformers puts those of XLM-R together."""
    tokenizer = unigram(texts, False)
    model = json.loads(tokenizer.to_str())["model"]  # its scores as files of SentencePiece hold them
    rounded = [(piece, struct.unpack("<f", struct.pack("<f", score))[0]) for piece, score in model["vocab"]]
    tokenizer.model = models.Unigram(rounded, unk_id=0, byte_fallback=False)
    tokenizer.normalizer = normalizers.Precompiled(character_table(CHANGES))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    return tokenizer


def make(texts):
    split, byte_level = pre_tokenizers.Split, pre_tokenizers.ByteLevel
    metaspace = pre_tokenizers.Metaspace
    plain = byte_level(add_prefix_space=False, use_regex=False)
    gpt2 = byte_level(add_prefix_space=False)
    sp = ["<unk>", "<s>", "</s>"]

    llama2 = sentencepiece_bpe(texts, sp, LEGACY, STRIP)
    llama2.add_special_tokens(special(*sp))
    bos(llama2, "<s>")
    mistral = sentencepiece_bpe(texts, sp + ["[INST]", "[/INST]"], None, STRIP,
                                metaspace(prepend_scheme="first", split=False))
    mistral.add_special_tokens(special(*sp, "[INST]", "[/INST]"))
    bos(mistral, "<s>")
    phi3 = sentencepiece_bpe(texts, sp + ["<|user|>", "<|end|>"], LEGACY, STRIP)
    phi3.add_special_tokens(special("<unk>", "<s>") + special("</s>", "<|user|>", "<|end|>", rstrip=True))
    old_llama = sentencepiece_bpe(texts, sp, LEGACY, STRIP)  # its special tokens are found in the normalised text
    old_llama.add_special_tokens([AddedToken(text, special=True, normalized=True) for text in sp])

    gemma_specials = ["<unk>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"]
    gemma = sentencepiece_bpe(texts, gemma_specials, REPLACE_SPACE, decoders.Sequence(SPELL),
                              split(" ", "merged_with_previous"))
    gemma.add_special_tokens(special(*gemma_specials))
    gemma.add_tokens([AddedToken(text, normalized=False) for text in ["\n", "\n\n", "\n\n\n", "<table>"]]
                     + [AddedToken(SPACE * n, normalized=True) for n in (2, 3, 4)])
    bos(gemma, "<bos>")
    single = sentencepiece_bpe(texts, sp, LEGACY, STRIP)  # no bytes: unknown characters, one by one
    single = json.loads(single.to_str())
    single["model"] |= {"byte_fallback": False, "fuse_unk": False}
    single = Tokenizer.from_str(json.dumps(single))
    single.add_special_tokens(special(*sp))

    chat = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    llama3 = byte_level_bpe(texts, ["<|begin_of_text|>", "<|eot_id|>"], [split(Regex(LLAMA3), "isolated"), plain],
                            ignore_merges=True)
    bos(llama3, "<|begin_of_text|>")
    neox = byte_level_bpe(texts, ["<|endoftext|>", "<|padding|>"], [gpt2], normalizers.NFC())
    neox.add_tokens([AddedToken(" " * n, normalized=True) for n in range(8, 1, -1)] + [AddedToken("e\u0301", normalized=True)])
    falcon = byte_level_bpe(texts, ["<|endoftext|>"], [
        pre_tokenizers.Punctuation("contiguous"), gpt2, pre_tokenizers.Digits(individual_digits=False),
        split(Regex("[0-9][0-9][0-9]"), "isolated")])
    return {
        "llama2": llama2,
        "llama-normalized": old_llama,
        "mistral": mistral,
        "phi3": phi3,
        "gemma": gemma,
        "unknown": single,
        "llama3": llama3,
        "qwen2": byte_level_bpe(texts, chat, [split(Regex(QWEN2), "isolated"), plain], normalizers.NFC()),
        "tekken": byte_level_bpe(texts, ["<s>", "</s>", "[INST]"], [split(Regex(TEKKEN), "isolated"), plain],
                                 ignore_merges=True),
        "smollm": byte_level_bpe(texts, chat, [pre_tokenizers.Digits(individual_digits=True), gpt2]),
        "gpt2": byte_level_bpe(texts, ["<|endoftext|>"], [gpt2]),
        "neox": neox,
        "falcon": falcon,
        "unigram": unigram(texts, False),
        "unigram-bytes": unigram(texts, True),
        "unigram-normalized": normalized_unigram(texts),
    }


def scored(tokenizer):
    """(pieces, scores, types) of a tokenizer that sentencepiece_bpe made; what was added beside it is user-defined."""
    description = json.loads(tokenizer.to_str())
    vocabulary, results = description["model"]["vocab"], []
    for left, right in description["model"]["merges"]:
        if left + right not in results:
            results.append(left + right)
    pieces = sorted(vocabulary, key=vocabulary.get)
    added = description["added_tokens"]
    specials = {token["content"] for token in added if token["special"]}
    user_defined = {token["content"] for token in added} - specials
    pieces += [token["content"] for token in added if token["id"] >= len(vocabulary)]
    scores = [-float(results.index(piece)) if piece in results else 0.0 if piece in BYTES else -1000.0 for piece in pieces]
    types = [2 if piece == "<unk>" else 3 if piece in specials else 4 if piece in user_defined else 6 if piece in BYTES else 1
             for piece in pieces]
    return pieces, scores, types
