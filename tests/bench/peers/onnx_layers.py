"""ONNX Runtime's side of compare.py: inference of its LSTM, GRU and RNN operators. Needs the package onnx."""
import statistics
import sys
import time

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def seconds(repetition):
    times = []
    for _ in range(2):
        repetition()
    while len(times) < 5 or sum(times) < 0.5:
        begin = time.perf_counter()
        repetition()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


OPERATORS = {"lstm": ("LSTM", 4), "gru": ("GRU", 3), "elman": ("RNN", 1)}


def run_layer(cell, inputs, hidden, batch, steps, directions, threads):
    if cell not in OPERATORS:
        return None
    operator, gates = OPERATORS[cell]
    random = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(0.1 * random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (directions, gates * hidden, inputs)), ("r", (directions, gates * hidden, hidden)),
                            ("b", (directions, 2 * gates * hidden)))
    ]
    node = helper.make_node(operator, ["x", "w", "r", "b"], ["y"], hidden_size=hidden,
                            direction="bidirectional" if directions == 2 else "forward",
                            **({"linear_before_reset": 1} if cell == "gru" else {}))
    graph = helper.make_graph(
        [node], "layer", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (steps, batch, inputs))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (steps, directions, batch, hidden))], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    x = random.normal(size=(steps, batch, inputs)).astype(np.float32)
    return seconds(lambda: session.run(None, {"x": x}))


for line in sys.stdin:
    kind, cell, *numbers = line.split()
    answer = run_layer(cell, *map(int, numbers)) if kind == "infer" else None
    print("-" if answer is None else f"{answer:.9f}", flush=True)
