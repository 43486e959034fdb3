"""Greedy generation by llama.cpp, once for each line on stdin, answered as by generation_worker.cc.

    llama_worker.py MODEL.gguf THREADS SHARED_IDS.txt PROMPTS.txt MAX_NEW_TOKENS

The ids of SHARED_IDS.txt are computed once, then copied into the memory of every sequence; all prompts form one batch, and
so do the next tokens of all sequences. A line on stdin is the number of new tokens; the end of a turn is passed over.
"""

import pathlib
import sys
import time

import llama_cpp as llama
import numpy

from peer_memory import forget_peak, peak_kib


def read_ids(path):
    return [list(map(int, line.split())) for line in pathlib.Path(path).read_text().splitlines()]


class Generator:
    def __init__(self, path, threads, shared, prompts, max_new_tokens):
        self.shared, self.prompts = shared, prompts
        model = llama.llama_model_load_from_file(path.encode(), llama.llama_model_default_params())
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
        params = llama.llama_context_default_params()
        params.n_seq_max = len(prompts)
        params.n_ctx = len(prompts) * (len(shared) + max(map(len, prompts)) + max_new_tokens)
        params.n_threads = params.n_threads_batch = threads
        self.context = llama.llama_init_from_model(model, params)
        self.batch = llama.llama_batch_init(params.n_batch, 0, 1)

    def generate(self, new_tokens):
        """The ids behind every prompt."""
        memory = llama.llama_get_memory(self.context)
        llama.llama_memory_clear(memory, True)
        self.likeliest([(id, position, 0, False) for position, id in enumerate(self.shared)])
        for sequence in range(1, len(self.prompts)):
            llama.llama_memory_seq_cp(memory, 0, sequence, -1, -1)
        start = len(self.shared)
        next_ids = self.likeliest([(id, start + i, sequence, i == len(prompt) - 1)
                                   for sequence, prompt in enumerate(self.prompts) for i, id in enumerate(prompt)])
        generated = [[id] for id in next_ids]
        for step in range(new_tokens - 1):
            next_ids = self.likeliest([(id, start + len(self.prompts[sequence]) + step, sequence, True)
                                       for sequence, id in enumerate(next_ids)])
            for ids, id in zip(generated, next_ids):
                ids.append(id)
        return generated

    def likeliest(self, rows):
        """The next id behind each of the rows (id, position, sequence, whether it is wanted) that is wanted."""
        batch = self.batch
        batch.n_tokens = len(rows)
        for i, (id, position, sequence, is_wanted) in enumerate(rows):
            batch.token[i], batch.pos[i], batch.logits[i] = id, position, is_wanted
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, sequence
        status = llama.llama_decode(self.context, batch)
        if status != 0:
            raise RuntimeError(f"llama_decode: {status}")
        logits = (llama.llama_get_logits_ith(self.context, i) for i, row in enumerate(rows) if row[3])
        return [int(numpy.ctypeslib.as_array(row, (self.vocabulary,)).argmax()) for row in logits]


def main():
    path, threads, shared, prompts, max_new_tokens = sys.argv[1:]
    generator = Generator(path, int(threads), read_ids(shared)[0], read_ids(prompts), int(max_new_tokens))
    print("ready", flush=True)
    for turn, line in enumerate(sys.stdin):
        start = time.monotonic()
        generated = generator.generate(int(line))
        print(time.monotonic() - start, peak_kib(), threads, *(id for ids in generated for id in ids), flush=True)
        if turn == 0:
            forget_peak()


if __name__ == "__main__":
    main()
