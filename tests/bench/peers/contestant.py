"""A contestant of compare.py in Python; ../contestant.h says what it answers."""
import statistics
import sys
import time

ENOUGH = 0.1


class Job:
    def __init__(self, run, repetitions=1):
        self.run = run
        self.repetitions = repetitions  # that one call makes

    def times(self):
        times = []
        while sum(times) < ENOUGH:
            begin = time.perf_counter()
            self.run()
            times.append(time.perf_counter() - begin)
        times.sort()
        return statistics.median(times) / self.repetitions, times[len(times) * 99 // 100] / self.repetitions

    def growth(self):
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the peak begins anew
        before = resident("VmRSS")
        for _ in range(3):
            self.run()
        return resident("VmHWM") - before


def resident(name):
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith(name + ":"))


TRIALS = True  # not before memory is measured, as they leave some behind


def fastest(variants):
    """Of several ways to do a job, {name: Job}, the one that takes the least time here."""
    if not TRIALS:
        return next(iter(variants.values()))
    best = None
    for name, job in variants.items():
        try:
            job.run()
            seconds = job.times()[0]
        except (RuntimeError, NotImplementedError) as error:
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if best is None or seconds < best[0]:
            best = seconds, name, job
    if len(variants) > 1:
        print(f"taken of {', '.join(variants)}: {best[1]}", file=sys.stderr)
    return best[2]


def serve(make):
    """make(words) gives a Job, or None."""
    global TRIALS
    jobs = {}
    for line in sys.stdin:
        words = line.split()
        if words[0] == "forget":
            jobs.clear()
            answer = "ok"
        elif words[0] == "memory":
            TRIALS = False
            job = make(words[1:])
            answer = str(job.growth()) if job else "-"
        else:
            if line not in jobs:
                jobs[line] = make(words)
                for _ in range(2 if jobs[line] else 0):
                    jobs[line].run()
            answer = "{:.9g} {:.9g}".format(*jobs[line].times()) if jobs[line] else "-"
        print(answer, flush=True)


def serve_layers(layer, *kinds):
    """layer(kind, cell, numbers ...) for the jobs of these kinds."""
    serve(lambda words: layer(*words[:2], *map(int, words[2:])) if words[0] in kinds else None)
