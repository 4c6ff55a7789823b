"""DyNet's side of compare.py (the package dynet38). One thread: its CPU operations have no more."""
import statistics
import sys
import time

import dynet as dy
import numpy as np


def seconds(repetition):
    times = []
    for _ in range(2):
        repetition()
    while len(times) < 5 or sum(times) < 0.5:
        begin = time.perf_counter()
        repetition()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


BUILDERS = {"lstm": dy.VanillaLSTMBuilder, "gru": dy.GRUBuilder, "elman": dy.SimpleRNNBuilder}


def run_layer(train, cell, inputs, hidden, batch, steps, directions, threads):
    if cell not in BUILDERS or threads > 1:
        return None
    model = dy.ParameterCollection()
    builders = [BUILDERS[cell](1, inputs, hidden, model) for _ in range(directions)]
    sgd = dy.SimpleSGDTrainer(model, 1e-6)
    xs = np.random.default_rng(1).normal(size=(steps, inputs, batch)).astype(np.float32)

    def outputs():
        dy.renew_cg()
        rows = [dy.inputTensor(x, batched=True) for x in xs]
        result = builders[0].initial_state().transduce(rows)
        if directions == 2:
            result += builders[1].initial_state().transduce(rows[::-1])
        return dy.sum_batches(dy.sum_elems(dy.esum(result)))

    def step():
        loss = outputs()
        loss.forward()
        if train:
            loss.backward()
            sgd.update()

    return seconds(step)


for line in sys.stdin:
    kind, cell, *numbers = line.split()
    answer = run_layer(kind == "train", cell, *map(int, numbers)) if kind in ("train", "infer") else None
    print("-" if answer is None else f"{answer:.9f}", flush=True)
