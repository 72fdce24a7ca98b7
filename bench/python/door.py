"""Measures the Python door by itself: upserts of arrays, lists and reservations, searches, threads.

    python bench/python/door.py [--vectors 100000] [--dim 128] [--target PATH]

Prints one line per measurement. Durability is `os`. The tax of the door is the difference to the
rows of `nearfield ladder`, which runs the same through Rust.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import threading
import time

import numpy as np

import nearfield


def upserts(target, vectors, batch, kind):
    """Vectors per second, best of three."""
    count, dimension = vectors.shape
    best = 0.0
    for _ in range(3):
        path = target or tempfile.mkdtemp(prefix="nearfield-door-")
        with nearfield.connect(path, create=True) as db:
            if "door" in db:
                db.drop_collection("door")
            docs = db.create_collection("door", dimension=dimension, metric="euclidean")
            ids = np.arange(count, dtype=np.uint64)
            parts = [vectors[at : at + batch] for at in range(0, count, batch)]
            names = [ids[at : at + batch] for at in range(0, count, batch)]
            if kind == "list":
                parts = [part.tolist() for part in parts]
                names = [name.tolist() for name in names]
            reservation = docs.reserve(batch) if kind == "reserve" else None
            view = reservation.vectors if reservation else None
            if reservation:
                view[:] = vectors[:batch]
            start = time.perf_counter()
            for name, part in zip(names, parts):
                if reservation:
                    reservation.commit(name, durability="os")
                else:
                    docs.upsert(name, part, durability="os")
            best = max(best, count / (time.perf_counter() - start))
        if not target:
            shutil.rmtree(path)
    return best


def searches(docs, queries, calls):
    """Microseconds per call, the median."""
    times = []
    for at in range(calls):
        query = queries[at % len(queries)]
        start = time.perf_counter_ns()
        docs.search(query)
        times.append(time.perf_counter_ns() - start)
    return statistics.median(times) / 1000


def threads(docs, queries, count, seconds=2.0):
    """Queries per second of so many threads."""
    done = [0] * count
    stop = time.perf_counter() + seconds

    def work(number):
        at = number
        while time.perf_counter() < stop:
            docs.search(queries[at % len(queries)])
            at += count
            done[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - start)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--vectors", type=int, default=100_000)
    arguments.add_argument("--dim", type=int, default=128)
    arguments.add_argument("--batch", type=int, default=1000)
    arguments.add_argument("--target")
    arguments = arguments.parse_args()
    random = np.random.default_rng(1)
    vectors = random.standard_normal((arguments.vectors, arguments.dim), dtype=np.float32)
    for kind in ("numpy", "list", "reserve"):
        rate = upserts(arguments.target, vectors, arguments.batch, kind)
        print(f"upsert {kind:8} batch {arguments.batch}: {rate:12,.0f} vectors/s")
    with nearfield.connect(":memory:") as db:
        docs = db.create_collection("door", dimension=arguments.dim, metric="euclidean")
        docs.upsert(np.arange(1), vectors[:1])
        print(f"search of one point, one query:  {searches(docs, vectors, 20_000):8.2f} us")
        lists = vectors[:1000].tolist()
        print(f"search of one point, from lists: {searches(docs, lists, 20_000):8.2f} us")
        docs.upsert(np.arange(15_000), vectors[:15_000])
        print(f"search of 15,000, one query:     {searches(docs, vectors, 5_000):8.2f} us")
        start = time.perf_counter()
        docs.search(vectors[:1000])
        rate = 1000 / (time.perf_counter() - start)
        print(f"search of 15,000, 1,000 queries in one call: {rate:10,.0f} queries/s")
        for count in (1, 2, 4, 8):
            rate = threads(docs, vectors, count)
            print(f"search of 15,000, {count} threads:   {rate:10,.0f} queries/s ({os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
