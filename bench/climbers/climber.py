"""Climbs Python's doors for `nearfield ladder`: writes or searches as its `name=value` arguments
say, and prints what it took as JSON."""

import json
import sys
import time
from array import array

import numpy

import nearfield

WARM_REQUESTS = 50
WARM_VECTORS = 10_000
WARM_NS = 100_000_000

given = dict(argument.split("=", 1) for argument in sys.argv[1:])
door = given["door"]
dim = int(given["dim"])
batch = int(given["batch"])
limit_ns = int(float(given["seconds"]) * 1e9)
now = time.perf_counter_ns


class Run:
    """What a loop took. Time that is not the door's can be left out."""

    def __init__(self):
        self.times = array("Q")
        self.count = 0
        self.inside = 0
        self.wall = 0
        self.cpu = time.process_time_ns()
        self.last = now()

    def without(self, work, first):
        """Does work that is not the door's."""
        cpu = time.process_time_ns()
        work(first)
        self.cpu += time.process_time_ns() - cpu
        self.last = now()

    def lap(self, before, count):
        end = now()
        self.inside += end - before
        self.times.append(end - self.last)
        self.wall += end - self.last
        self.count += count
        self.last = end

    def end(self):
        self.cpu = time.process_time_ns() - self.cpu


def read(name, rows):
    """The vectors of a file, in memory."""
    values = numpy.fromfile(given[name], dtype=numpy.float32, count=int(given[rows]) * dim)
    return values.reshape(-1, dim)


def ingest(database):
    durability = given["durability"]
    values = read("values", "rows")
    rows = len(values)
    ids = numpy.arange(rows, dtype=numpy.uint64)
    warm = database.create_collection(given["warm"], dimension=dim, metric="euclidean")
    collection = database.create_collection(given["collection"], dimension=dim, metric="euclidean")
    firsts = range(0, rows, batch)
    if door == "python-list":
        # The lists are there before the clock starts, as arrays are for the other doors; they are
        # made bit by bit, so that they need not fit into memory all at once.
        kept = [0, [], []]

        def prepare(first):
            kept[1] = ids[first : first + batch].tolist()
            kept[2] = values[first : first + batch].tolist()

        def write(to, first):
            to.upsert(kept[1], kept[2], durability=durability)

    elif door == "python-reserve":
        reservations = {}

        def prepare(first):
            part = values[first : first + batch]
            for to in (warm, collection):
                if to.name not in reservations:
                    reservations[to.name] = to.reserve(batch)
                reservations[to.name].vectors[: len(part)] = part

        def write(to, first):
            reservations[to.name].commit(ids[first : first + batch], durability=durability)

    else:
        prepare = None

        def write(to, first):
            last = first + batch
            to.upsert(ids[first:last], values[first:last], durability=durability)

    for first in firsts[: min(WARM_REQUESTS, -(-WARM_VECTORS // batch))]:
        if prepare:
            prepare(first)
        write(warm, first)
    run = Run()
    for first in firsts:
        if prepare:
            run.without(prepare, first)
        before = now()
        write(collection, first)
        run.lap(before, min(batch, rows - first))
        if run.wall >= limit_ns:
            break
    run.end()
    return run, []


def search(database):
    queries = read("queries", "query_rows")
    limit = int(given["limit"])
    if given["create"] == "yes":
        collection = database.create_collection(given["collection"], dimension=dim, metric="euclidean")
    else:
        collection = database[given["collection"]]
    exact = collection.search(queries[: int(given["exact"])], limit=limit, recall=1.0)
    found = [[hit.id for hit in hits] for hits in exact]
    size = min(batch, len(queries))
    parts = [queries[first : first + size] for first in range(0, len(queries) - size + 1, size)]
    if size == 1:
        parts = [part[0] for part in parts]
    if door == "python-list":
        parts = [part.tolist() for part in parts]
    start = now()
    number = 0
    while now() - start < WARM_NS:
        collection.search(parts[number % len(parts)], limit=limit)
        number += 1
    run = Run()
    number = 0
    while run.wall < limit_ns:
        part = parts[number % len(parts)]
        before = now()
        collection.search(part, limit=limit)
        run.lap(before, size)
        number += 1
    run.end()
    return run, found


def main():
    with nearfield.connect(given["target"], json=door == "python-http-json") as database:
        run, found = ingest(database) if given["op"] == "ingest" else search(database)
    with open(given["times"], "wb") as file:
        run.times.tofile(file)
    told = {
        "count": run.count,
        "seconds": run.wall / 1e9,
        "call_seconds": run.inside / 1e9,
        "cpu_seconds": run.cpu / 1e9,
        "found": found,
    }
    print(json.dumps(told))


main()
