"""Every chat template that llama.cpp's source carries against Jinja2 as transformers sets it up."""

import functools
import json
import subprocess
import unittest

import gguf_metadata
import peers
import program
from golden import chat_template as golden

# Templates that are refused for some conversations, and the construct that is named.
REFUSED = {"muse-glimmer.jinja": "changing the case of text beyond ASCII"}


@functools.cache
def templates():
    found = {path.name: path.read_text(encoding="utf-8")
             for path in sorted((peers.VOCABULARIES / "templates").glob("*.jinja"))}
    for path in sorted(peers.VOCABULARIES.glob("*.gguf")):
        if text := gguf_metadata.read(path).get("tokenizer.chat_template"):
            found[path.name] = text
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
