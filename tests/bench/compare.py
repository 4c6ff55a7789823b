#!/usr/bin/env python3
"""Runs the same jobs here and in other libraries, in turn, and prints medians and ratios.

    compare.py BUILD [--python VENV/bin/python] [--only PATTERN ...] [--rounds 5] [--json FILE]
    compare.py --table FILE

BUILD was configured with -Dbench=true; contestant.cpp in this folder says what a job is. Peers are LibTorch, if
BUILD found it, and what of PyTorch, JAX, DyNet and ONNX Runtime that Python can import. On AMD's processors PyTorch
comes as it is and, "avx512", with peers/mkl_on_amd.cpp. Each contestant is one
process that answers a line for a line. In each round of a job all contestants do it once, with one thread and
with two; a library's time is the better of its two medians, and so is ours. "spread" is the distance of the
quartiles over the median of our times. The best peer's ratio to us is the median over the rounds, with the
smallest and the largest. Nothing else should run meanwhile.

--json adds to what FILE has of other jobs, so that jobs can be run a few at a time. "memory" jobs get a process
each, and are bytes.
"""
import argparse
import fnmatch
import itertools
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = [(16, 32, 1, 50), (32, 64, 8, 64), (64, 128, 32, 64), (256, 256, 32, 64), (512, 512, 64, 32), (1024, 1024, 64, 32)]
TEXTS = pathlib.Path(tempfile.gettempdir()) / "unroll-texts"
LAYERS = [
    f"{kind} {cell} {' '.join(map(str, shape))} {directions}"
    for kind in ("train", "infer")
    for directions in (1, 2)
    for shape in SHAPES
    for cell in (("lstm", "custom", "gru", "elman") if directions == 1 else ("lstm", "gru", "elman"))
]
STREAMS = [f"stream {cell} {sizes}" for cell in ("lstm", "gru") for sizes in ("1 32", "1 64", "64 128", "1024 1024")]
MEMORY = [f"memory train lstm {' '.join(map(str, shape))} 1" for shape in SHAPES] + [
    f"memory loss {rows} 200 10000" for rows in (400, 4000, 16000)
]
JOBS = LAYERS + ["infer lstm 1024 1024 1 32 1"] + STREAMS + ["words 2 200 20 20 10000", f"texts {TEXTS}"] + MEMORY
WARM_UP = "train lstm 8 8 2 4 1 1"
THREADS = (1, 2)


class Contestant:
    def __init__(self, name, command, environment):
        self.name = name
        self.command = command
        self.environment = environment
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=self.environment)

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process = None

    def ask(self, line):
        """Its numbers, or None."""
        if self.process is None:
            self.start()
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            print(f"compare.py: {self.name} stopped at '{line}'", file=sys.stderr)
            self.stop()
            return None
        return None if answer == ["-"] else answer

    def run(self, job, threads):
        if not job.startswith("memory"):
            return self.numbers(f"{job} {threads}")
        if self.process is not None:
            self.stop()
        self.ask(WARM_UP)
        self.ask("forget")
        numbers = self.numbers(f"{job} {threads}")
        self.stop()
        return numbers

    def numbers(self, line):
        answer = self.ask(line)
        return answer and [float(word) for word in answer]


def contestants_of(build, python):
    """Ours first. Peers bring their own BLAS, and are not to be told which kernels it has to take."""
    programs = pathlib.Path(build).resolve() / "tests"
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    mkl = programs / "libmkl_on_amd.so"
    torch = plain | {"LD_PRELOAD": str(mkl)} if mkl.exists() and "AuthenticAMD" in cpu_info() else None
    result = [Contestant("unroll", [programs / "contestant"], os.environ)]
    for name in ("libtorch", "rtneural"):
        if (programs / name).exists():
            result.append(Contestant(name, [programs / name], plain))
    for name, module, script, arguments, environment in (
        ("pytorch", "torch", "pytorch.py", [], plain),
        ("pytorch avx512", "torch", "pytorch.py", [], torch),
        ("pytorch compiled", "torch", "pytorch.py", ["compiled"], torch or plain),
        ("jax", "jax", "jax_scan.py", [], plain),
        ("dynet", "dynet", "dynet_layers.py", [], plain),
        ("onnxruntime", "onnxruntime", "onnx_layers.py", [], plain),
    ):
        if environment is None:
            continue
        found = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{module}') is None)"
        if subprocess.run([python, "-c", found]).returncode == 0:
            result.append(Contestant(name, [python, HERE / "peers" / script, *arguments], environment))
    return result


def cpu_info():
    try:
        return pathlib.Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""


def processor():
    for line in cpu_info().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':')[1].strip()}, {os.cpu_count()} cores"
    return platform.processor()


def group(job):
    """Jobs that differ in their cell alone take turns, so that their times can be set against each other."""
    kind, _, *sizes = job.split()
    return (kind, *sizes) if job in LAYERS else job


def measure(contestants, jobs, rounds, keep):
    """Calls keep(results) for each group of jobs that is done."""
    for _, some in itertools.groupby(jobs, group):
        some = list(some)
        print(*some, sep=", ", file=sys.stderr)
        results = {job: {} for job in some}
        for _ in range(1 if some[0].startswith("memory") else rounds):
            for job, threads, contestant in itertools.product(some, THREADS, contestants):
                key = f"{contestant.name} {threads}"
                if results[job].get(key, [0]) is None:
                    continue
                numbers = contestant.run(job, threads)
                if numbers is None:
                    results[job][key] = None
                else:
                    results[job].setdefault(key, []).append(numbers)
        for contestant in contestants:
            if contestant.process is not None:
                contestant.ask("forget")
        keep({job: {key: value for key, value in times.items() if value} for job, times in results.items()})


# -- The table.


def best(times, name, column=0):
    """The rounds' numbers with the better number of threads, and that number; None if there are none."""
    options = [([row[column] for row in times[f"{name} {t}"]], t) for t in THREADS if f"{name} {t}" in times]
    return min(options, key=lambda option: statistics.median(option[0])) if options else None


def spread(numbers):
    if len(numbers) < 2:
        return "-"
    low, _, high = statistics.quantiles(numbers, n=4)
    return f"{100 * (high - low) / statistics.median(numbers):.0f} %"


def ratios(theirs, ours):
    """Round by round."""
    return [t / o for t, o in zip(theirs, ours)]


def ratio(theirs, ours):
    all = ratios(theirs, ours)
    text = f"{statistics.median(all):.2f}"
    return text if len(all) == 1 else f"{text} ({min(all):.2f} to {max(all):.2f})"


def quantity(number, job):
    if job.startswith("memory"):
        return f"{number / 1e6:.1f} MB"
    unit, scale = next((u, s) for u, s in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)) if number * s < 1000 or u == "ms")
    return f"{number * scale:.3g} {unit}"


def names_in(results):
    """Of the peers, in the order in which they come."""
    names = dict.fromkeys(key.rsplit(" ", 1)[0] for times in results.values() for key in times)
    return [name for name in names if name != "unroll"]


def print_table(results):
    names = names_in(results)
    print("| job | " + " | ".join(f"unroll, {t} thr." for t in THREADS) + " | spread | " + " | ".join(names)
          + " | best peer / unroll |")
    print("|---" * (len(names) + 5) + "|")
    for job, times in results.items():
        ours = best(times, "unroll")
        fields = [quantity(statistics.median(r[0] for r in times[f"unroll {t}"]), job) if f"unroll {t}" in times
                  else "-" for t in THREADS]
        fields.append(spread(ours[0]))
        peers = {name: best(times, name) for name in names}
        for name in names:
            fields.append(f"{quantity(statistics.median(peers[name][0]), job)} ({peers[name][1]})" if peers[name] else "-")
        found = [p for p in peers.values() if p]
        fields.append(ratio(min(found, key=lambda p: statistics.median(p[0]))[0], ours[0]) if found else "-")
        print(f"| {job.replace(str(TEXTS), '')} | " + " | ".join(fields) + " |")


def print_own(results):
    """What our own numbers say beside each other: a user's cell, a second thread, the slowest steps."""
    print("\n| | |\n|---|---|")
    for job, times in results.items():
        built_in = results.get(job.replace("custom", "lstm"), {})
        for t in THREADS:
            key = f"unroll {t}"
            if " custom " in job and key in times and key in built_in:
                print(f"| {job}, {t} thr.: user's cell / built-in | "
                      f"{ratio([r[0] for r in times[key]], [r[0] for r in built_in[key]])} |")
        if all(f"unroll {t}" in times for t in THREADS) and not job.startswith("memory"):
            one, two = ([row[0] for row in times[f"unroll {t}"]] for t in THREADS)
            print(f"| {job}: one thread / two | {ratio(one, two)} |")
        if job.startswith("stream"):
            slowest = "; ".join(f"{name} {quantity(statistics.median(best(times, name, 1)[0]), job)}"
                                for name in ["unroll", *names_in(results)] if best(times, name))
            print(f"| {job}: 99th percentile | {slowest} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="such as 'train lstm *'")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="those only")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--table", metavar="FILE", help="run nothing, print what is in FILE")
    options = parser.parse_args()
    if (options.build is None) == (options.table is None):
        parser.error("needed a build directory or --table")
    if options.table:
        record = json.loads(pathlib.Path(options.table).read_text())
    else:
        record = {"machine": processor(), "jobs": {}}
        if options.json and pathlib.Path(options.json).exists():
            record = json.loads(pathlib.Path(options.json).read_text())
        jobs = [job for job in JOBS if any(fnmatch.fnmatch(job, pattern) for pattern in options.only)]
        if not jobs:
            parser.error(f"no job matches {options.only}; jobs are such as '{JOBS[0]}'")
        contestants = contestants_of(options.build, options.python)
        if options.peers:
            contestants = contestants[:1] + [c for c in contestants[1:] if c.name in options.peers]

        def keep(results):
            record["jobs"].update(results)
            record["jobs"] = {job: record["jobs"][job] for job in JOBS if job in record["jobs"]}
            if options.json:
                pathlib.Path(options.json).write_text(json.dumps(record, indent=1))

        measure(contestants, jobs, options.rounds, keep)
        record["jobs"] = {job: times for job, times in record["jobs"].items() if job in jobs}
    print(f"{record['machine']}\n")
    print_table(record["jobs"])
    print_own(record["jobs"])


if __name__ == "__main__":
    main()
