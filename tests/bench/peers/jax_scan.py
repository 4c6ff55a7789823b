"""JAX's side of compare.py: lax.scan under jit, unrolled where that is faster, on all its threads."""
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp

from contestant import Job, fastest, serve_layers


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


def layer(kind, name, inputs, hidden, batch, steps, directions, threads):
    if threads == 1:
        return None
    cell, gates, states = CELLS[name]
    key = jax.random.PRNGKey(1)
    weights = [
        (0.1 * jax.random.normal(key, (inputs, gates * hidden)),
         0.1 * jax.random.normal(key, (hidden, gates * hidden)),
         jnp.zeros(gates * hidden))
        for _ in range(directions)
    ]
    xs = jax.random.normal(key, (steps, batch, inputs))

    def variant(unroll):
        def outputs(weights, xs):
            zero = jnp.zeros((batch, hidden))
            return [
                jax.lax.scan(lambda s, x: cell(w_hh, s, x), (zero,) * states, xs @ w_ih + bias,
                             reverse=reverse, unroll=unroll)[1]
                for (w_ih, w_hh, bias), reverse in zip(weights, (False, True))
            ]

        def step(weights, xs):
            slopes = jax.grad(lambda w: sum(y.sum() for y in outputs(w, xs)))(weights)
            return jax.tree_util.tree_map(lambda w, d: w - 1e-6 * d, weights, slopes)

        run = jax.jit(step if kind == "train" else outputs)
        return Job(lambda: jax.block_until_ready(run(weights, xs)))

    return fastest({f"unrolled {n}": variant(n) for n in (1, 4)})


serve_layers(layer, "train", "infer")
