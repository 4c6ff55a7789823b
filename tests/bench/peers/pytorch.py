"""PyTorch's side of compare.py: the jobs of ../contestant.cpp, each in the fastest of the ways it knows.

With the argument "compiled" only what torch.compile can do something for.
"""
import sys

import torch
from torch import nn

from contestant import Job, fastest, serve

COMPILED = sys.argv[1:] == ["compiled"]
torch.manual_seed(1)


def threaded(threads, run, repetitions=1):
    def with_threads():
        torch.set_num_threads(threads)
        run()

    return Job(with_threads, repetitions)


def without_onednn(job):
    """PyTorch's own layers."""

    def run():
        with torch.backends.mkldnn.flags(enabled=False):
            job.run()

    return Job(run, job.repetitions)


class CustomLstm(nn.Module):
    """An LSTM in ordinary tensor operations."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.input = nn.Linear(inputs, 4 * hidden)
        self.recurrent = nn.Parameter(torch.randn(hidden, 4 * hidden) * 0.1)

    def forward(self, x):
        projected = self.input(x)
        h = x.new_zeros(x.shape[1], self.recurrent.shape[0])
        c = h
        states = []
        for step in projected.unbind(0):
            i, f, g, o = torch.addmm(step, h, self.recurrent).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states), None


def layer(train, cell, inputs, hidden, batch, steps, directions, threads):
    custom = cell == "custom"
    if COMPILED != custom and COMPILED or custom and directions == 2:
        return None
    torch.set_num_threads(threads)
    if custom:
        net = CustomLstm(inputs, hidden)
        if COMPILED:
            net = torch.compile(net)
    else:
        kind = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        net = kind(inputs, hidden, bidirectional=directions == 2)
    x = torch.randn(steps, batch, inputs)

    def infer():
        with torch.inference_mode():
            net(x)

    sgd = torch.optim.SGD(net.parameters(), 1e-6)

    def learn():
        sgd.zero_grad()
        net(x)[0].sum().backward()
        sgd.step()

    job = threaded(threads, learn if train else infer)
    return job if custom or cell == "elman" else fastest({"oneDNN": job, "own": without_onednn(job)})


def stream(cell, inputs, hidden, threads):
    if COMPILED or threads > 1 or cell not in ("lstm", "gru"):
        return None
    net = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}[cell](inputs, hidden)
    x = torch.full((1, inputs), 0.1)
    state = [None]

    def step():
        with torch.inference_mode():
            state[0] = net(x, state[0])

    return threaded(1, step)


class WordModel(nn.Module):
    def __init__(self, layers, hidden, vocabulary):
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden)
        self.net = nn.LSTM(hidden, hidden, layers)
        self.output = nn.Linear(hidden, vocabulary)

    def forward(self, ids, state):
        rows, state = self.net(self.words(ids), state)
        return self.output(rows), state


def words(layers, hidden, batch, steps, vocabulary, threads):
    if COMPILED:
        return None
    torch.set_num_threads(threads)
    model = WordModel(layers, hidden, vocabulary)
    sgd = torch.optim.SGD(model.parameters(), 1e-3, fused=True)
    state = [None]

    def step():
        ids = torch.randint(vocabulary, (steps, batch))
        targets = torch.randint(vocabulary, (steps * batch,))
        sgd.zero_grad()
        logits, after = model(ids, state[0])
        state[0] = tuple(s.detach() for s in after)
        loss = nn.functional.cross_entropy(logits.view(-1, vocabulary), targets, reduction="sum") / batch
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5)
        sgd.step()

    job = threaded(threads, step)
    return fastest({"oneDNN": job, "own": without_onednn(job)})


class TextClassifier(nn.Module):
    """Bidirectional GRU of 128, max over time, dropout 0.4: what `unroll demo` trains."""

    def __init__(self, vocabulary, sparse, packed, width=128, hidden=128, classes=26):
        super().__init__()
        self.packed = packed
        self.words = nn.Embedding(vocabulary, width, sparse=sparse)
        if packed:
            self.encoder = nn.GRU(width, hidden, bidirectional=True)
        else:
            self.there, self.back = nn.GRU(width, hidden), nn.GRU(width, hidden)
        self.head = nn.Linear(2 * hidden, classes)
        self.dropout = nn.Dropout(0.4)

    def forward(self, ids, lengths):
        words = self.dropout(self.words(ids))
        if self.packed:
            packed = nn.utils.rnn.pack_padded_sequence(words, lengths, enforce_sorted=False)
            rows, _ = nn.utils.rnn.pad_packed_sequence(self.encoder(packed)[0], padding_value=float("-inf"))
        else:  # padded; for the way back each text is turned round by itself
            steps = torch.arange(ids.shape[0])[:, None]
            turned = torch.where(steps < lengths, lengths - 1 - steps, steps)[:, :, None]
            there = self.there(words)[0]
            back = self.back(words.gather(0, turned.expand_as(words)))[0]
            rows = torch.cat([there, back], 2).masked_fill((steps >= lengths)[:, :, None], float("-inf"))
        return self.head(self.dropout(rows.max(0).values))


def read_batches(path):
    """[(ids [steps, texts], lengths, labels)]"""
    batches, texts = [], []
    with open(path) as file:
        for line in file:
            if line.strip():
                texts.append([int(word) for word in line.split()])
                continue
            lengths = torch.tensor([len(text) - 1 for text in texts])
            ids = torch.zeros(int(lengths.max()), len(texts), dtype=torch.long)
            for i, text in enumerate(texts):
                ids[: len(text) - 1, i] = torch.tensor(text[1:])
            batches.append((ids, lengths, torch.tensor([text[0] for text in texts])))
            texts = []
    return batches


def clip(parameters, limit):
    """clip_grad_norm_, which knows no sparse gradients."""
    gradients = [p.grad.coalesce().values() if p.grad.is_sparse else p.grad for p in parameters]
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients]))
    factor = torch.clamp(limit / (norm + 1e-6), max=1.0)
    for p in parameters:
        p.grad.mul_(factor)


def texts(path, threads):
    if COMPILED:
        return None
    batches = read_batches(path)
    vocabulary = 1 + max(int(ids.max()) for ids, _, _ in batches)
    repetitions = 16

    def variant(sparse, packed):
        model = TextClassifier(vocabulary, sparse, packed)
        everything = list(model.parameters())
        if sparse:
            dense = [p for p in everything if p is not model.words.weight]
            rules = [torch.optim.SparseAdam([model.words.weight], 3e-3), torch.optim.Adam(dense, 3e-3, fused=True)]
        else:
            rules = [torch.optim.Adam(everything, 3e-3, fused=True)]
        at = [0]

        def run():
            for _ in range(repetitions):
                ids, lengths, labels = batches[at[0]]
                at[0] = (at[0] + 1) % len(batches)
                for rule in rules:
                    rule.zero_grad()
                logits = model(ids, lengths)
                loss = nn.functional.cross_entropy(logits, labels)
                loss.backward()
                clip(everything, 5)
                for rule in rules:
                    rule.step()
                (logits.argmax(1) == labels).sum().item(), loss.item()

        return threaded(threads, run, repetitions)

    best = fastest({
        f"{'sparse' if sparse else 'dense'} {'packed' if packed else 'padded'}": variant(sparse, packed)
        for sparse in (True, False) for packed in (True, False)
    })
    return fastest({"oneDNN": best, "own": without_onednn(best)})


def loss(rows, hidden, vocabulary, threads):
    if COMPILED:
        return None
    output = nn.Linear(hidden, vocabulary)
    x = torch.randn(rows, hidden, requires_grad=True)
    targets = torch.randint(vocabulary, (rows,))

    def run():
        x.grad = None
        output.zero_grad()
        nn.functional.cross_entropy(output(x), targets).backward()

    return threaded(threads, run)


def make(line):
    kind, *rest = line
    numbers = [int(word) for word in rest if word.isdigit()]
    if kind in ("train", "infer"):
        return layer(kind == "train", rest[0], *numbers)
    if kind == "stream":
        return stream(rest[0], *numbers)
    if kind == "texts":
        return texts(rest[0], numbers[-1])
    return {"words": words, "loss": loss}[kind](*numbers)


serve(make)
