"""Ids of `prescript tokenize` against the tokenizers library, on thousands of lines."""

import random
import unittest

import peers
import program

DATA = peers.ROOT.parent / "shared" / "data"


def any_characters(count, seed):
    """Lines of characters from all of Unicode, assigned or not."""
    dice = random.Random(seed)
    characters = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    return ["".join(map(chr, dice.choices(characters, k=dice.randint(1, 12)))) for _ in range(count)]


class Tokenize(program.ProgramTest):
    def expect_equal(self, lines):
        """Returns the ids of `lines`."""
        lines = [line.replace("\n", "\r") for line in lines]  # a line ends at \n alone
        path = self.folder / "lines.txt"
        path.write_bytes(("\n".join(lines) + "\n").encode())
        ours = program.json_lines(program.run("tokenize", "--model", peers.MODEL, "--input", path, "--json").stdout)
        theirs = peers.golden_tokenizer.encodings(peers.tokenizer(), lines, special_as_text=True)
        self.assertEqual(len(ours), len(lines))
        for line, ids, encoding in zip(lines, ours, theirs):
            self.assertEqual(ids, encoding.ids, ascii(line))
        return ours

    def test_gives_equal_ids_on_nasty_lines(self):
        self.expect_equal(peers.golden_tokenizer.nasty_lines(4000, seed=11))

    def test_gives_equal_ids_on_characters_of_all_of_unicode(self):
        self.expect_equal(any_characters(2000, seed=12))

    def test_gives_equal_ids_on_medical_text_which_are_the_whole_text(self):
        texts = []
        for path in sorted((peers.ROOT / "exemplars").glob("*.jsonl")) + sorted(DATA.glob("*.jsonl")):
            for record in program.json_lines(path.read_text()):
                texts += [record[name] for name in ("question", "context", "answer", "rationale") if record.get(name)]
        self.assertGreater(len(texts), 200)
        texts = [text.replace("\n", " ") for text in texts]
        for text, ids in zip(texts, self.expect_equal(texts)):
            self.assertEqual(peers.tokenizer().decode(ids, skip_special_tokens=False), text)


if __name__ == "__main__":
    unittest.main()
