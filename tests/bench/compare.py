#!/usr/bin/env python3
"""Runs the same jobs here and in other libraries, in turn, and prints medians and ratios.

    compare.py [--rounds 5] [--jobs PATTERN] [--json FILE] NAME=COMMAND ...

The first command is ours. Each contestant is started once and answers a line for a line (contestant.cpp says
what a job is). In each round every contestant gets every job once, with one thread and with two; a library's
time for a job is the better of its two medians. "spread" is the distance of the quartiles over the median of
our own times. Nothing else should run meanwhile.
"""
import argparse
import fnmatch
import json
import shlex
import statistics
import subprocess
import sys

SHAPES = [(16, 32, 1, 50), (32, 64, 8, 64), (64, 128, 32, 64), (256, 256, 32, 64), (512, 512, 64, 32), (1024, 1024, 64, 32)]
JOBS = [
    f"{kind} {cell} {inputs} {hidden} {batch} {steps} {directions}"
    for kind in ("train", "infer")
    for cell in ("lstm", "gru", "elman", "custom")
    for directions in (1, 2)
    for inputs, hidden, batch, steps in SHAPES
    if not (cell == "custom" and directions == 2)
] + ["words 2 200 20 20 10000", "texts gru 128 128 64 26 20924"]
THREADS = (1, 2)


class Contestant:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.times = {}

    def run(self, job, threads):
        if self.times.get((job, threads), [0]) is None:
            return
        self.process.stdin.write(f"{job} {threads}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"compare.py: {self.name} stopped at the job '{job} {threads}'")
        if answer == "-":
            self.times[job, threads] = None
        else:
            self.times.setdefault((job, threads), []).append(float(answer))

    def median(self, job, threads):
        times = self.times.get((job, threads))
        return statistics.median(times) if times else None

    def best(self, job):
        medians = [m for m in (self.median(job, t) for t in THREADS) if m is not None]
        return min(medians) if medians else None


def spread(times):
    if len(times) < 2:
        return 0.0
    low, _, high = statistics.quantiles(times, n=4)
    return (high - low) / statistics.median(times)


def milliseconds(seconds):
    return "-" if seconds is None else f"{1e3 * seconds:.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", default="*", help="a shell pattern, such as 'train lstm *'")
    parser.add_argument("--json")
    parser.add_argument("contestants", nargs="+", metavar="NAME=COMMAND")
    options = parser.parse_args()
    contestants = [Contestant(*c.split("=", 1)) for c in options.contestants]
    ours, *peers = contestants
    jobs = fnmatch.filter(JOBS, options.jobs)
    if not jobs:
        sys.exit(f"compare.py: no job matches '{options.jobs}'; jobs are such as '{JOBS[0]}'")
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
        for job in jobs:
            for threads in THREADS:
                for contestant in contestants:
                    contestant.run(job, threads)

    names = [c.name for c in peers]
    print("| job | " + " | ".join(f"{ours.name}, {t} thr." for t in THREADS) + " | spread | " + " | ".join(names)
          + " | best peer / ours |")
    print("|---" * (len(names) + 5) + "|")
    for job in jobs:
        fields = [milliseconds(ours.median(job, t)) for t in THREADS]
        fields.append(f"{100 * max(spread(ours.times[job, t]) for t in THREADS):.0f} %")
        fields += [milliseconds(p.best(job)) for p in peers]
        best = min((p.best(job) for p in peers if p.best(job) is not None), default=None)
        fields.append("-" if best is None else f"{best / ours.best(job):.2f}")
        print(f"| {job} | " + " | ".join(fields) + " |")
    if options.json:
        record = {c.name: {f"{job} {t}": times for (job, t), times in c.times.items()} for c in contestants}
        with open(options.json, "w") as file:
            json.dump(record, file, indent=1)


main()
