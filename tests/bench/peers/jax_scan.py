"""JAX's side of compare.py: an LSTM, GRU or Elman net as lax.scan under jit."""
import os
import statistics
import sys
import time

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp


def seconds(repetition):
    times = []
    for _ in range(2):
        repetition()
    while len(times) < 5 or sum(times) < 0.5:
        begin = time.perf_counter()
        repetition()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def lstm(w, state, x):
    h, c = state
    i, f, g, o = jnp.split(x + h @ w, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return (h, c), h


def gru(w, state, x):
    (h,) = state
    r, z, n = jnp.split(h @ w, 3, axis=1)
    x_r, x_z, x_n = jnp.split(x, 3, axis=1)
    n = jnp.tanh(x_n + jax.nn.sigmoid(x_r + r) * n)
    h = n + jax.nn.sigmoid(x_z + z) * (h - n)
    return (h,), h


def elman(w, state, x):
    (h,) = state
    h = jnp.tanh(x + h @ w)
    return (h,), h


CELLS = {"lstm": (lstm, 4, 2), "custom": (lstm, 4, 2), "gru": (gru, 3, 1), "elman": (elman, 1, 1)}


def run_layer(train, name, inputs, hidden, batch, steps, directions, threads):
    cell, gates, states = CELLS[name]
    if directions == 2:
        return None
    key = jax.random.PRNGKey(1)
    weights = (
        0.1 * jax.random.normal(key, (inputs, gates * hidden)),
        0.1 * jax.random.normal(key, (hidden, gates * hidden)),
        jnp.zeros(gates * hidden),
    )
    xs = jax.random.normal(key, (steps, batch, inputs))

    def outputs(weights, xs):
        w_ih, w_hh, bias = weights
        zero = jnp.zeros((batch, hidden))
        return jax.lax.scan(lambda s, x: cell(w_hh, s, x), (zero,) * states, xs @ w_ih + bias)[1]

    if not train:
        run = jax.jit(outputs)
        return seconds(lambda: run(weights, xs).block_until_ready())

    @jax.jit
    def step(weights, xs):
        slopes = jax.grad(lambda w: outputs(w, xs).sum())(weights)
        return jax.tree_util.tree_map(lambda w, d: w - 1e-6 * d, weights, slopes)

    return seconds(lambda: jax.block_until_ready(step(weights, xs)))


for line in sys.stdin:
    kind, cell, *numbers = line.split()
    answer = run_layer(kind == "train", cell, *map(int, numbers)) if kind in ("train", "infer") else None
    print("-" if answer is None else f"{answer:.9f}", flush=True)
