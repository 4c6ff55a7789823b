"""ONNX Runtime's side of compare.py: inference of its LSTM, GRU and RNN operators. Needs the package onnx."""
import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from contestant import Job, serve

OPERATORS = {"lstm": ("LSTM", 4, 2), "gru": ("GRU", 3, 1), "elman": ("RNN", 1, 1)}


def session_of(cell, inputs, hidden, batch, steps, directions, threads):
    """One operator, from given states to its states."""
    operator, gates, states = OPERATORS[cell]
    random = np.random.default_rng(1)
    weights = [
        numpy_helper.from_array(0.1 * random.normal(size=shape).astype(np.float32), name)
        for name, shape in (("w", (directions, gates * hidden, inputs)), ("r", (directions, gates * hidden, hidden)),
                            ("b", (directions, 2 * gates * hidden)))
    ]
    before, after = ["h", "c"][:states], ["h_after", "c_after"][:states]
    node = helper.make_node(operator, ["x", "w", "r", "b", "", *before], ["y", *after], hidden_size=hidden,
                            direction="bidirectional" if directions == 2 else "forward",
                            **({"linear_before_reset": 1} if cell == "gru" else {}))

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        [node], "layer",
        [value("x", steps, batch, inputs)] + [value(name, directions, batch, hidden) for name in before],
        [value("y", steps, directions, batch, hidden)] + [value(name, directions, batch, hidden) for name in after],
        weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])
    model.ir_version = 8
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    zero = np.zeros((directions, batch, hidden), np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return session, dict.fromkeys(before, zero)


def layer(cell, inputs, hidden, batch, steps, directions, threads):
    session, feed = session_of(cell, inputs, hidden, batch, steps, directions, threads)
    feed["x"] = np.random.default_rng(2).normal(size=(steps, batch, inputs)).astype(np.float32)
    return Job(lambda: session.run(["y"], feed))


def stream(cell, inputs, hidden, threads):
    if threads > 1:
        return None
    session, feed = session_of(cell, inputs, hidden, 1, 1, 1, threads)
    states = list(feed)
    feed["x"] = np.full((1, 1, inputs), 0.1, np.float32)

    def step():
        after = session.run([name + "_after" for name in states], feed)
        feed.update(zip(states, after))

    return Job(step)


def make(words):
    if words[0] not in ("infer", "stream") or words[1] not in OPERATORS:
        return None
    return {"infer": layer, "stream": stream}[words[0]](words[1], *map(int, words[2:]))


serve(make)
