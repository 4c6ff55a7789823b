"""DyNet's side of compare.py (the package dynet38). One thread: its CPU operations have no more."""
import dynet as dy
import numpy as np

from contestant import Job, fastest, serve_layers

BUILDERS = {
    "lstm": [dy.VanillaLSTMBuilder, dy.CompactVanillaLSTMBuilder],
    "gru": [dy.GRUBuilder],
    "elman": [dy.SimpleRNNBuilder],
}


def layer(kind, cell, inputs, hidden, batch, steps, directions, threads):
    if cell not in BUILDERS or threads > 1:
        return None
    xs = np.random.default_rng(1).normal(size=(steps, inputs, batch)).astype(np.float32)
    vectors = xs[:, :, 0].tolist()  # inputTensor takes no batch of one

    def variant(builder):
        model = dy.ParameterCollection()
        builders = [builder(1, inputs, hidden, model) for _ in range(directions)]
        sgd = dy.SimpleSGDTrainer(model, 1e-6)

        def step():
            dy.renew_cg()
            rows = [dy.inputTensor(x, batched=True) for x in xs] if batch > 1 else [dy.inputVector(x) for x in vectors]
            result = builders[0].initial_state().transduce(rows)
            if directions == 2:
                result += builders[1].initial_state().transduce(rows[::-1])
            loss = dy.sum_batches(dy.sum_elems(dy.esum(result)))
            loss.forward()
            if kind == "train":
                loss.backward()
                sgd.update()

        step.model = model  # which neither builders nor trainer keep alive
        return Job(step)

    return fastest({builder.__name__: variant(builder) for builder in BUILDERS[cell]})


serve_layers(layer, "train", "infer")
