"""Every chat template that llama.cpp's source carries against Jinja2 as transformers sets it up."""

import functools
import json
import struct
import subprocess
import unittest

import peers
import program
from golden import chat_template as golden

# Templates that are refused for some conversations, and the construct that is named.
REFUSED = {"muse-glimmer.jinja": "changing the case of text beyond ASCII"}


def own_template(path):
    """A GGUF file's tokenizer.chat_template, or nothing; gguf's reader would read the whole vocabulary for it."""
    data, key = path.read_bytes(), b"tokenizer.chat_template"
    at = data.find(struct.pack("<Q", len(key)) + key + struct.pack("<I", 8))  # a string
    if at < 0:
        return None
    begin = at + 8 + len(key) + 4
    length, = struct.unpack_from("<Q", data, begin)
    return data[begin + 8:begin + 8 + length].decode()


@functools.cache
def templates():
    found = {path.name: path.read_text(encoding="utf-8")
             for path in sorted((peers.VOCABULARIES / "templates").glob("*.jinja"))}
    found |= {path.name: text for path in sorted(peers.VOCABULARIES.glob("*.gguf")) if (text := own_template(path))}
    return found


def rendered(cases):
    """The answer for each (template, conversation)."""
    lines = [json.dumps({"template": text, "bos_token": golden.BOS, "eos_token": golden.EOS, "date": golden.DATE, **conversation})
             for text, conversation in cases]
    result = subprocess.run([program.TEXT_PROBE, "render"], input="".join(line + "\n" for line in lines),
                            capture_output=True, text=True, check=True)
    return program.json_lines(result.stdout)


class ChatTemplates(unittest.TestCase):
    def test_all_are_found(self):
        self.assertGreaterEqual(len(templates()), 74)

    def test_each_renders_as_jinja2_renders_it_or_is_refused_by_name(self):
        refused = set()
        for name, text in templates().items():
            with self.subTest(name):
                answers = rendered([(text, conversation) for conversation in golden.CONVERSATIONS])
                for conversation, answer in zip(golden.CONVERSATIONS, answers, strict=True):
                    expected = golden.render(text, conversation["messages"], conversation["add_generation_prompt"])
                    if expected is None:  # the template raises an exception, or Jinja2 does
                        self.assertIn("error", answer)
                    elif name in REFUSED and REFUSED[name] in answer.get("error", ""):
                        refused.add(name)
                    else:
                        self.assertEqual(answer.get("output", answer), expected)
        self.assertEqual(refused, set(REFUSED))


if __name__ == "__main__":
    unittest.main()
