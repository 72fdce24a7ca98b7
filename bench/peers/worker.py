"""The process of one peer: reads a command per line, does it, answers with a line.

Started by `process.py`. The library's own output goes to the log that standard error is.
"""

import json
import os
import sys
import threading
import time
from itertools import cycle
from pathlib import Path

import numpy as np

import adapters
from data import Rows
from settings import BATCH, BUILD_BATCH, FIELDS, LIMIT, THREADS


def pin(cores):
    """Keeps all threads of this process on some cores; new threads follow."""
    for task in os.listdir("/proc/self/task"):
        try:
            os.sched_setaffinity(int(task), cores)
        except ProcessLookupError:
            pass  # it ended meanwhile


class Worker:
    def __init__(self, peer, parameters, spec, folder):
        self.cores = sorted(os.sched_getaffinity(0))[:THREADS]
        pin(self.cores)
        self.peer_name, self.spec = peer, spec
        self.base = Rows(spec["base"], spec["metric"])
        self.queries = Rows(spec["queries"], spec["metric"]).read(0, spec["query_count"])
        self.filters = {}
        self.class_ = adapters.load(peer)
        self.options = {"dimension": spec["dimension"], "metric": spec["metric"], "threads": THREADS}
        self.parameters, self.folder = parameters, folder

    def open(self, rows, fields, durability):
        self.peer = self.class_(self.parameters, rows=rows, folder=self.folder, **self.options)
        self.peer.create(fields, durability)

    def batches(self, rows, size, fields):
        values = np.load(self.spec["fields"]) if fields else None
        for start in range(0, rows, size):
            stop = min(start + size, rows)
            of_rows = {name: values[start:stop, at].tolist() for at, name in enumerate(FIELDS)} if fields else None
            yield self.peer.prepare(start, self.base.read(start, stop), of_rows), stop - start

    def about(self):
        """What the peer says of itself, and the memory that is in use before it is opened."""
        return {
            "stores": bool(self.class_.durability),
            "durability": self.class_.durability,
            "filters": self.class_.filters,
        }

    def ingest(self, rows, durability):
        """Batches that are acknowledged one after the other; the time of each call."""
        self.open(rows, False, durability)
        times = []
        for batch, _ in self.batches(rows, BATCH, False):
            began = time.perf_counter()
            self.peer.add(batch)
            times.append(time.perf_counter() - began)
        self.peer.close()
        return {"rows": rows, "seconds": sum(times), "slowest_ms": max(times) * 1e3}

    def build(self, fields):
        """All rows, then whatever is left to index; only the peer's calls are timed."""
        rows = self.spec["rows"]
        family = self.peer_name.split("-")[0]
        times = {"train": 0.0, "add": 0.0, "finish": 0.0}

        def timed(part, call, *arguments):
            began = time.perf_counter()
            call(*arguments)
            times[part] += time.perf_counter() - began

        used = time.process_time()
        self.open(rows, fields, "os")
        wanted = self.peer.training_rows()
        if wanted:
            numbers = np.sort(np.random.default_rng(3).choice(rows, wanted, replace=False))
            sample = np.concatenate([self.some(numbers, start) for start in range(0, rows, BATCH * 10)])
            timed("train", self.peer.train, sample)
            del sample
        for batch, _ in self.batches(rows, BUILD_BATCH.get(family, BATCH), fields):
            timed("add", self.peer.add, batch)
        del batch
        timed("finish", self.peer.finish)
        used = time.process_time() - used
        return {"rows": rows, "seconds": times, "cpu_seconds": used}

    def some(self, numbers, start):
        stop = start + BATCH * 10
        inside = numbers[(numbers >= start) & (numbers < stop)] - start
        return self.base.read(start, stop)[inside]

    def ready(self):
        self.peer.ready()
        return {"disk": self.peer.disk()}

    def matching(self, field):
        if field and field not in self.filters:
            rows = np.flatnonzero(np.load(self.spec["fields"])[:, list(FIELDS).index(field)] == 0)
            self.filters[field] = self.peer.matching(field, rows)
        return self.filters.get(field)

    def leg(self, setting, threads, field, seconds, least, most):
        """Searches for so many seconds, and at least for so many queries unless that takes longer
        than `most` seconds. Answers with what the first pass found."""
        calls = self.peer.calls(self.queries, setting, self.matching(field))
        own = threads == 1 or self.peer.own_threads
        self.peer.search_threads(threads if self.peer.own_threads else THREADS)
        # One thread means one core, also for peers with pools of their own.
        pin(self.cores[-1:] if threads == 1 else self.cores)
        shares = [list(enumerate(calls))] if own else [list(enumerate(calls))[at::threads] for at in range(threads)]
        results, done, took = {}, [0] * len(shares), [0.0] * len(shares)
        start = {}

        def begin():
            # Once all threads are warm: what a warming call cost, or how long it was held up, is not
            # part of the leg.
            start["cpu"], start["wall"] = time.process_time(), time.perf_counter()

        gate = threading.Barrier(len(shares), action=begin)

        def search(at):
            share = shares[at]
            self.peer.search(share[0][1][0])  # warm
            gate.wait()
            began = time.perf_counter()
            for place, (call, count) in cycle(share):
                result = self.peer.search(call)
                results.setdefault(place, result)
                done[at] += count
                took[at] = time.perf_counter() - began
                if took[at] >= (seconds if done[at] * len(shares) >= least else most):
                    return

        workers = [threading.Thread(target=search, args=(at,)) for at in range(1, len(shares))]
        for worker in workers:
            worker.start()
        search(0)
        for worker in workers:
            worker.join()
        wall, cpu = time.perf_counter() - start["wall"], time.process_time() - start["cpu"]
        found = []
        for place in range(len(calls)):
            if place not in results:
                break
            found += [[int(row) for row in hits[:LIMIT]] for hits in self.peer.ids(results[place])]
        pin(self.cores)
        queries = sum(done)
        return {
            "rate": sum(count / time_ for count, time_ in zip(done, took)),
            "cpu_seconds": cpu,
            "wall_seconds": wall,
            "queries": queries,
            "found": found,
        }


def main():
    # The peers print; the answers must not be mixed with that.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    start = json.loads(sys.argv[1])
    Path(start["folder"]).mkdir(parents=True, exist_ok=True)
    worker = Worker(**start)
    print(json.dumps({"ready": True}), file=answers)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(worker, command.pop("do"))(**command)
        except Exception as error:  # told to the harness, which goes on with other peers
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
