"""PyTorch's side of compare.py: the jobs of contestant.cpp. Arguments: "eager" or "compiled" (a custom cell)."""
import statistics
import sys
import time

import torch
from torch import nn

torch.manual_seed(1)


def seconds(repetition):
    times = []
    for _ in range(2):
        repetition()
    while len(times) < 5 or sum(times) < 0.5:
        begin = time.perf_counter()
        repetition()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


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
        for step in projected:
            i, f, g, o = torch.addmm(step, h, self.recurrent).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            states.append(h)
        return torch.stack(states), None


def run_layer(train, cell, inputs, hidden, batch, steps, directions, threads):
    torch.set_num_threads(threads)
    if cell == "custom":
        if directions == 2:
            return None
        net = CustomLstm(inputs, hidden)
        if COMPILED:
            net = torch.compile(net)
    elif COMPILED:
        return None
    else:
        kind = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        net = kind(inputs, hidden, bidirectional=directions == 2)
    x = torch.randn(steps, batch, inputs)
    if not train:
        with torch.inference_mode():
            return seconds(lambda: net(x)[0])
    sgd = torch.optim.SGD(net.parameters(), 1e-6)

    def step():
        sgd.zero_grad()
        net(x)[0].sum().backward()
        sgd.step()

    return seconds(step)


class WordModel(nn.Module):
    def __init__(self, layers, hidden, vocabulary):
        super().__init__()
        self.words = nn.Embedding(vocabulary, hidden)
        self.net = nn.LSTM(hidden, hidden, layers)
        self.output = nn.Linear(hidden, vocabulary)

    def forward(self, ids, state):
        rows, state = self.net(self.words(ids), state)
        return self.output(rows), state


def run_words(layers, hidden, batch, steps, vocabulary, threads):
    torch.set_num_threads(threads)
    model = WordModel(layers, hidden, vocabulary)
    sgd = torch.optim.SGD(model.parameters(), 1e-3)
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

    return seconds(step)


class TextClassifier(nn.Module):
    def __init__(self, embedding, hidden, classes, vocabulary):
        super().__init__()
        self.words = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.GRU(embedding, hidden, bidirectional=True)
        self.head = nn.Linear(2 * hidden, classes)
        self.dropout = nn.Dropout(0.4)

    def forward(self, ids, lengths):
        words = self.dropout(self.words(ids))
        packed = nn.utils.rnn.pack_padded_sequence(words, lengths, enforce_sorted=False)
        rows, _ = nn.utils.rnn.pad_packed_sequence(self.encoder(packed)[0], padding_value=float("-inf"))
        return self.head(self.dropout(rows.max(0).values))


def run_texts(embedding, hidden, batch, classes, vocabulary, threads):
    torch.set_num_threads(threads)
    model = TextClassifier(embedding, hidden, classes, vocabulary)
    adam = torch.optim.Adam(model.parameters())
    lengths = torch.tensor([3 + i * 7919 % 17 for i in range(batch)])

    def step():
        ids = torch.randint(vocabulary, (int(lengths.max()), batch))
        labels = torch.randint(classes, (batch,))
        adam.zero_grad()
        nn.functional.cross_entropy(model(ids, lengths), labels).backward()
        adam.step()

    return seconds(step)


COMPILED = len(sys.argv) > 1 and sys.argv[1] == "compiled"
for line in sys.stdin:
    kind, cell, *numbers = line.split()
    numbers = [int(n) for n in numbers]
    if kind in ("train", "infer"):
        answer = run_layer(kind == "train", cell, *numbers)
    elif COMPILED:
        answer = None
    elif kind == "words":
        answer = run_words(int(cell), *numbers)
    else:
        answer = run_texts(*numbers)
    print("-" if answer is None else f"{answer:.9f}", flush=True)
