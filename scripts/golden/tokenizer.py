"""Golden files of src/text's tokenizer, made by the tokenizers and gguf packages: tests/golden/tokenizer.

    tiny.json, tiny.gguf     one byte-level BPE tokenizer, trained here, in both formats
    tiny.jsonl               {"text", "ids", "special_ids", "ranges"} of nasty lines
    pre_tokenizers.json      {"lines": [text, ...], "pre_tokenizers": [{"name", "pre_tokenizer",
                             "words": one [begin, end, begin, end, ...] for each line}, ...]}
    added_tokens.json(l)     tiny.json with added tokens of every kind, and [text, ids, special_ids]
    text_steps.json          {"lines": [text, ...], "pre_tokenizers": [{"steps", "words": [[word, ...], ...]}, ...],
                             "normalizers": [{"steps", "texts": [text, ...]}, ...]}
    normal_forms.json        {"NFC": {"characters": {character: [character, ...]} that change, "texts": [[from, to], ...]}, ...}
    families/NAME.json(l)    a tiny tokenizer of each family (_tokenizer_families.py), and [text, ids, special_ids, decoded]
    families/llama2.gguf     that tokenizer with scores, as SentencePiece's models are stored; so phi3 and gemma, some of
                             whose user-defined tokens have "▁" for a space, as in old files, and some a space; so
                             unigram-normalized, with its table of normalisation
    character_map.json       {"table": [byte, ...], "texts": [[from, to], ...]}: such a table, and what it makes of texts
    unicode_sets.json        {"\\\\p{L}": [first, last, first, last, ...]}: what Oniguruma matches
    smollm2.jsonl            [text, ids, special_ids]: of SmolLM2, whose vocabulary is in its GGUF file

`ids` treat special tokens as text, `special_ids` (absent: the same) parse them. Offsets count bytes of UTF-8; `ranges`
holds those of tiny's tokens, widened to whole characters as tokenizers does.
"""

import json
import pathlib
import random

import gguf
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

from golden import _tokenizer_families as families

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMOLLM2 = ROOT / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf"
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

TRAINING_TEXT = [
    "The patient was given 500 mg of amoxicillin twice a day, and the fever went down within 48 hours.",
    "What are the symptoms of type 2 diabetes? Thirst, tiredness, blurred vision, and slow healing.",
    "It's common; they're told it isn't serious, but we'll check the patient's blood pressure again.",
    "If you have chest pain that spreads to the arm or jaw, call an ambulance at once.",
    "Die Ärztin prüfte Größe und Gewicht: 1,82 m und 75 kg. L'élève a été opéré à l'hôpital.",
    "def dose(weight_kg):\n    return 15 * weight_kg  # mg\n\n\tprint(dose(70))\r\n",
    "患者さんは熱があります。病院に行きました。 Пациент чувствует себя хорошо. المريض بخير.",
    "Warnings:   do not take with alcohol...  See https://example.org/a?b=1&c=2 !!!",
]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}{1,3}"
         r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+")

BITS = ["'s", "'S", "'re", "'LL", "'ſ", "’s", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0",
        "\u200b", "\u180e", "\u2028", "\x85", "\x1c", "\x00", "\x04", "\x7f", "0", "1", "23", "2024", "٣", "½",
        "Ⅳ", "²", "१", "\U00010d40", "\U00011de0", "a", "the", " The", "patient", " diabetes", "é", "e\u0301",
        "\u0301", "ñ", "ß", "ﬁ", "日本", "患者", "한국어", "\u1112\u1161", "مريض", "שלום", "नमस्ते", "👩\u200d⚕️", "🇩🇪",
        "🫨", "\U0001f9ec", "\ufe0f", "\u200d", "\ufeff", "\u202e", "...", "---", "://", "_", "$", "{}", "(", "\\", '"',
        "<|", "|>", "im_end", "\ufffd", "\U0010ffff", "\ua7da", "\U000105c0", "\U00016d40"] + SPECIAL

LINES = [
    "", " ", "  ", "\t", "\n", "\r\n", "a", " a", "a ", "Hello, world!", "The patient's temperature is 38.5 °C.",
    "   leading and trailing   ", "a  b   c    d", "tabs\tand\t\ttabs", "line\nline\n\nline\r\nline\r", "don't DON'T don’t",
    "1234567890", "1 22 333 4444", "٣٤٥ ²³ ½ Ⅻ 一二三", "naïve café résumé", "e\u0301 vs é", "👩‍⚕️👨‍👩‍👧‍👦 🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿", "患者さん、こんにちは。",
    "مرحبا بالعالم", "\u202eabc\u202c", "\ufeffBOM", "a\u00a0b\u2003c\u3000d", "\u180e\u180e", "\x00\x01\x02\x7f",
    "<|im_start|>user\nHi<|im_end|>\n", "<|im_end|><|im_end|>", "<|im_end", "<|endoftext|> <|endoftext|>x", "<<|im_end|>>",
    "x" * 200, " " * 100, "ab" * 80, "é" * 50, "\n" * 40, "=" * 70, "0" * 33, "😀" * 20,
]


def nasty_lines(count, seed, letters=()):
    """Deterministic lines of everything that pre-tokenisers and byte-pair encoding stumble over."""
    dice = random.Random(seed)
    lines = list(LINES)
    blocks = [(0x20, 0x7f), (0x00, 0x250), (0x300, 0x370), (0x370, 0x600), (0x600, 0x700), (0x900, 0x980),
              (0xe00, 0xe80), (0x1e00, 0x2100), (0x2150, 0x2190), (0x3000, 0x3100), (0x4e00, 0x5000), (0xac00, 0xad00),
              (0xff00, 0xfff0), (0x1f300, 0x1f6ff), (0x1f900, 0x1fb00), (0x1d7c0, 0x1d800), (0x11d00, 0x11e00)]
    words = " ".join(TRAINING_TEXT).split(" ") + list(letters)
    while len(lines) < count:
        kind, length = dice.random(), dice.randint(1, 9)
        if kind < 0.4:
            line = "".join(dice.choice(BITS) for _ in range(length))
        elif kind < 0.7:
            line = "".join(dice.choice([" ", "", "  ", "\t"]) + dice.choice(words) for _ in range(length))
            at = dice.randint(0, len(line))
            line = line[:at] + dice.choice(BITS) + line[at:]
        else:
            some = dice.sample(blocks, 2)
            line = "".join(chr(dice.randrange(*dice.choice(some))) for _ in range(length))
        lines.append(line)
    return lines


def special_lines(count, seed, specials):
    """Deterministic lines of special tokens and what stands beside them in conversations."""
    dice = random.Random(seed)
    bits = [" ", "  ", "\n", "\t", "The patient", " has a fever", "é", "e\u0301", "▁", "1", "患者"]
    return ["".join(dice.choice(specials if dice.random() < 0.4 else bits) for _ in range(dice.randint(2, 9)))
            for _ in range(count)]


def byte_offsets(text):
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + len(character.encode()))
    return offsets


def encodings(tokenizer, lines, special_as_text):
    tokenizer.encode_special_tokens = special_as_text
    return tokenizer.encode_batch(lines, add_special_tokens=False)


def write_lines(path, records):
    path.write_text("".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) + "\n" for r in records))


def train_tiny():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=520, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    return tokenizer


def write_tiny_gguf(path, description, pre):
    vocabulary = description["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(pieces)
    writer.add_token_types([3 if piece in SPECIAL else 1 for piece in pieces])
    writer.add_token_merges([" ".join(merge) for merge in description["model"]["merges"]])
    writer.add_bos_token_id(vocabulary["<|im_start|>"])
    writer.add_eos_token_id(vocabulary["<|im_end|>"])
    writer.add_add_bos_token(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def tiny_records(tokenizer, lines):
    as_text = encodings(tokenizer, lines, True)
    parsed = encodings(tokenizer, lines, False)
    for text, plain, special in zip(lines, as_text, parsed):
        offsets = byte_offsets(text)
        record = {"text": text, "ids": plain.ids, "ranges": [[offsets[b], offsets[e]] for b, e in plain.offsets]}
        if special.ids != plain.ids:
            record["special_ids"] = special.ids
        yield record


def pre_tokenizer_records(lines):
    split = pre_tokenizers.Split
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    def then_bytes(*steps):
        return pre_tokenizers.Sequence([*steps, plain])
    kinds = {
        "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), gpt2]),
        "gpt-2": gpt2,
        "llama-bpe": then_bytes(split(Regex(LLAMA3), "isolated")),
        "qwen2": then_bytes(split(Regex(QWEN2), "isolated")),
        "default": then_bytes(*(split(Regex(p), "isolated")
                                for p in (r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"))),
        "cased": then_bytes(split(Regex(CASED), "isolated")),
        "removed, inverted": then_bytes(split(Regex(LLAMA3), "removed", invert=True)),
        "removed": then_bytes(split(Regex(r"[\s\p{P}]"), "removed")),
        "merged with previous": then_bytes(split(Regex(r"\s+|\d"), "merged_with_previous")),
        "merged with next": then_bytes(split(" ", "merged_with_next")),
        "contiguous": then_bytes(split(Regex(r"\p{P}|\s"), "contiguous")),
        "digits together": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), gpt2]),
        "syntax": then_bytes(split(Regex(r"(?<=a)(b|c)|\u00e9+?|.(?=\n)|\D\S++\P{L}(?>x+)|[^\d]{2,5}"), "isolated")),
    }
    for name, pre in kinds.items():
        records = []
        for text in lines:
            offsets = byte_offsets(text)
            words = pre.pre_tokenize_str(text)
            records.append([offsets[at] for _, word in words for at in word])
        shared = Tokenizer(models.BPE())
        shared.pre_tokenizer = pre
        yield {"name": name, "pre_tokenizer": json.loads(shared.to_str())["pre_tokenizer"], "words": records}


def with_added_tokens(tiny):
    tokenizer = Tokenizer.from_str(tiny.to_str())
    tokenizer.add_tokens([
        AddedToken("   ", normalized=True), AddedToken("the", normalized=True), AddedToken("é", normalized=True),
        AddedToken("日本", lstrip=True, normalized=False), AddedToken("<|im", normalized=False),
        AddedToken("--", lstrip=True, rstrip=True, normalized=False),
        AddedToken("<|new|>", special=True, lstrip=True, rstrip=True, normalized=False)])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|im_start|> $A", pair="$A $B", special_tokens=[("<|im_start|>", tiny.token_to_id("<|im_start|>"))])
    description = json.loads(tokenizer.to_str())
    description["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(description))


def unicode_sets():
    characters = [c for c in range(0x110000) if not 0xd800 <= c < 0xe000]
    everything = "".join(map(chr, characters))
    sets = {}
    for pattern in [r"\s", r"\d"] + [rf"\p{{{c}}}" for c in "L Lu Ll Lt Lm Lo M N Nd P S".split()]:
        kept = pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(everything)
        sets[pattern] = ranges_of(ord(c) for word, _ in kept for c in word)
    digits = pre_tokenizers.Digits(individual_digits=True)
    between = digits.pre_tokenize_str("a".join(map(chr, characters)))
    sets["Digits"] = ranges_of(ord(word) for word, _ in between if len(word) == 1 and word != "a")
    between = pre_tokenizers.Punctuation().pre_tokenize_str("a".join(map(chr, characters)))
    sets["Punctuation"] = ranges_of(ord(word) for word, _ in between if len(word) == 1 and word != "a")
    return sets


def ranges_of(characters):
    ranges = []
    for character in sorted(characters):
        if ranges and ranges[-1] == character - 1:
            ranges[-1] = character
        else:
            ranges += [character, character]
    return ranges


def json_of(**parts):
    """How tokenizer.json spells a normaliser or a pre-tokeniser."""
    tokenizer = Tokenizer(models.BPE())
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return json.loads(tokenizer.to_str())[next(iter(parts))]


def text_steps(lines):
    split, metaspace, byte_level = pre_tokenizers.Split, pre_tokenizers.Metaspace, pre_tokenizers.ByteLevel
    cuts = [
        metaspace(prepend_scheme="always", split=True), metaspace(prepend_scheme="always", split=False),
        metaspace(prepend_scheme="first", split=True), metaspace(prepend_scheme="never", split=True),
        metaspace(replacement="_"), pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation(), pre_tokenizers.Punctuation("contiguous"),
        byte_level(add_prefix_space=True), byte_level(add_prefix_space=True, use_regex=False),
        pre_tokenizers.Sequence([split(" ", "merged_with_previous"), metaspace()]),
        pre_tokenizers.Sequence([pre_tokenizers.Punctuation("contiguous"), byte_level(add_prefix_space=False),
                                 pre_tokenizers.Digits(individual_digits=False),
                                 split(Regex("[0-9][0-9][0-9]"), "isolated")]),
    ]
    changes = [
        normalizers.Prepend("▁"), normalizers.Replace(" ", "▁"), normalizers.Replace(Regex(" {2,}|\\t"), " "),
        normalizers.Replace("a", ""), normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
        normalizers.NFC(), normalizers.NFKC(), normalizers.Sequence([normalizers.NFC(), normalizers.Replace("é", "e")]),
        normalizers.Strip(), normalizers.Strip(left=False), normalizers.Strip(right=False),
    ]
    return {"lines": lines,
            "pre_tokenizers": [{"steps": json_of(pre_tokenizer=cut),
                                "words": [[word for word, _ in cut.pre_tokenize_str(line)] for line in lines]} for cut in cuts],
            "normalizers": [{"steps": json_of(normalizer=change),
                             "texts": [change.normalize_str(line) for line in lines]} for change in changes]}


def normal_form(form, seed):
    dice = random.Random(seed)
    everything = [chr(c) for c in range(0x110000) if not 0xd800 <= c < 0xe000]
    changed = {c: form.normalize_str(c) for c in everything if form.normalize_str(c) != c}
    marks = [chr(c) for first, last in [(0x300, 0x370), (0x591, 0x5c8), (0x610, 0x65f), (0x897, 0x8ff), (0x1dc0, 0x1e00),
                                        (0x20d0, 0x20f1), (0x1100, 0x1113), (0x1161, 0x1176), (0x11a8, 0x11c3)]
             for c in range(first, last)]
    bases = list("aeouAEnsc \n") + ["\u0915", "\uac00", "\u1100\u1161", "\u03b1", "\u0627", "\U00011935"] + list(changed)
    texts = ["".join(dice.choice(bases) + "".join(dice.choices(marks, k=dice.randint(0, 4)))
                     for _ in range(dice.randint(1, 4))) for _ in range(600)]
    return {"characters": {ord(c): [ord(x) for x in to] for c, to in changed.items()},
            "texts": [[[ord(x) for x in text], [ord(x) for x in form.normalize_str(text)]] for text in texts]}


def character_map(seed):
    dice = random.Random(seed)
    table = families.character_table(families.CHANGES)
    normalizer = normalizers.Precompiled(table)
    parts = [*families.CHANGES, "a", "e", "\u0301", "\u0308", "\r\n", ".", "..", "本", "\u1112", "\u1161", "👩\u200d⚕️", "नि", "\x00", "🇩🇪"]
    texts = ["".join(dice.choices(parts, k=dice.randint(1, 6))) for _ in range(400)]
    return {"table": list(table), "texts": [[text, normalizer.normalize_str(text)] for text in texts]}


def write_families(folder):
    folder.mkdir(exist_ok=True)
    for i, (name, tokenizer) in enumerate(families.make(TRAINING_TEXT).items()):
        (folder / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, indent=0) + "\n")
        specials = [token.content for token in tokenizer.get_added_tokens_decoder().values()]
        lines = nasty_lines(120, seed=20 + i) + special_lines(40, 40 + i, specials)
        write_lines(folder / f"{name}.jsonl", (
            [text, plain.ids, special.ids, tokenizer.decode(plain.ids, skip_special_tokens=False)] for text, plain, special in
            zip(lines, encodings(tokenizer, lines, True), encodings(tokenizer, lines, False))))
        if name in ("llama2", "phi3", "gemma"):
            write_scored_gguf(folder / f"{name}.gguf", name, *families.scored(tokenizer))
        if name == "unigram-normalized":
            write_unigram_gguf(folder / f"{name}.gguf", json.loads(tokenizer.to_str())["model"]["vocab"])


def write_unigram_gguf(path, vocabulary):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("t5")
    writer.add_token_list([piece for piece, _ in vocabulary])
    writer.add_token_scores([score for _, score in vocabulary])
    writer.add_token_types([{"<unk>": 2, "<s>": 3, "</s>": 3}.get(piece, 1) for piece, _ in vocabulary])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_precompiled_charsmap(families.character_table(families.CHANGES))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def write_scored_gguf(path, name, pieces, scores, types):
    writer = gguf.GGUFWriter(path, {"llama2": "llama", "phi3": "phi3", "gemma": "gemma2"}[name])
    writer.add_tokenizer_model("llama")
    writer.add_token_list([piece.replace("▁", " ") if kind == 4 and len(piece) > 2 else piece for piece, kind in zip(pieces, types)])
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(pieces.index("<bos>" if name == "gemma" else "<s>"))
    writer.add_eos_token_id(pieces.index("<eos>" if name == "gemma" else "</s>"))
    if name == "gemma":
        writer.add_add_space_prefix(False)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def smollm2():
    fields = gguf.GGUFReader(SMOLLM2).fields
    pieces = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(piece, special=True, normalized=False) for piece, kind in zip(pieces, types) if kind == 3])
    return tokenizer


def make(output_dir):
    tiny = train_tiny()
    description = json.loads(tiny.to_str())
    (output_dir / "tiny.json").write_text(json.dumps(description, ensure_ascii=False, indent=0) + "\n")
    write_tiny_gguf(output_dir / "tiny.gguf", description, "smollm")
    write_lines(output_dir / "tiny.jsonl", tiny_records(tiny, nasty_lines(300, seed=1)))

    lines = nasty_lines(90, seed=3)
    (output_dir / "pre_tokenizers.json").write_text(json.dumps(
        {"lines": lines, "pre_tokenizers": list(pre_tokenizer_records(lines))}, separators=(",", ":")) + "\n")
    added = with_added_tokens(tiny)
    (output_dir / "added_tokens.json").write_text(
        json.dumps(json.loads(added.to_str()), ensure_ascii=False, indent=0) + "\n")
    lines = nasty_lines(250, seed=2, letters=["  日本", "-- ", " -- ", "<|new|>", " <|new|>\n", "the", "   ", "<|im"])
    write_lines(output_dir / "added_tokens.jsonl", (
        [text, plain.ids, special.ids] for text, plain, special in
        zip(lines, encodings(added, lines, True), encodings(added, lines, False))))
    (output_dir / "text_steps.json").write_text(json.dumps(
        text_steps(nasty_lines(100, seed=5)), ensure_ascii=False, separators=(",", ":")) + "\n")
    (output_dir / "normal_forms.json").write_text(json.dumps(
        {"NFC": normal_form(normalizers.NFC(), 6), "NFKC": normal_form(normalizers.NFKC(), 7)}, separators=(",", ":")) + "\n")
    (output_dir / "character_map.json").write_text(json.dumps(character_map(9), separators=(",", ":")) + "\n")
    write_families(output_dir / "families")
    (output_dir / "unicode_sets.json").write_text(json.dumps(unicode_sets(), separators=(",", ":")) + "\n")

    real = smollm2()
    lines = nasty_lines(1700, seed=4)
    write_lines(output_dir / "smollm2.jsonl", (
        [text, plain.ids] if plain.ids == special.ids else [text, plain.ids, special.ids] for text, plain, special in
        zip(lines, encodings(real, lines, True), encodings(real, lines, False))))
