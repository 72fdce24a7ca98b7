"""Data sets: rows, queries, fields to filter by, and the exact answers; all kept in a cache folder.

    python data.py [--cache .data] [--sets NAME ...] [--rows N]
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

import glosses
from settings import FIELDS, LIMIT

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BENCH = REPOSITORY / "target/release/nearfield-bench"
FASHION = Path("/usr/share/datasets/fashion-mnist")
DEMO = REPOSITORY / "cli/data"

SETS = ("generated-100k", "generated-200k", "generated-1m", "fashion-mnist", "glosses", "real")
DEFAULT = ("generated-100k", "generated-200k", "fashion-mnist", "glosses")
QUERIES = 1_000
BLOCK = 100_000  # rows in memory at once while answers are computed


class Rows:
    """The rows of a .npy file as float32, read piece by piece: nothing of it is mapped, so it does not
    count as memory of the peer."""

    def __init__(self, path, metric):
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"{path}: not a .npy file of version 1")
            shape, fortran, self.kind = np.lib.format.read_array_header_1_0(file)
            self.offset = file.tell()
        if fortran or len(shape) != 2:
            raise ValueError(f"{path}: not a matrix of rows")
        self.path, self.metric = path, metric
        self.rows, self.dimension = shape

    def __len__(self):
        return self.rows

    def read(self, start, stop):
        stop = min(stop, self.rows)
        skip = self.offset + start * self.dimension * self.kind.itemsize
        raw = np.fromfile(self.path, self.kind, (stop - start) * self.dimension, offset=skip)
        return as_given(raw.reshape(-1, self.dimension), self.metric)

    def pick(self, numbers):
        """Single rows; `numbers` may have any shape."""
        flat, where = np.unique(np.ravel(numbers), return_inverse=True)
        mapped = np.load(self.path, mmap_mode="r")
        return as_given(mapped[flat], self.metric)[where].reshape(*np.shape(numbers), self.dimension)


def as_given(matrix, metric):
    """What every peer is given: float32, of unit length under cosine."""
    matrix = np.ascontiguousarray(matrix, np.float32)
    if metric == "cosine":
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


# ------------------------------------------------------------------ sources


def generated(cache, rows, bench):
    base, queries = cache / f"generated-{rows}-base.npy", cache / f"generated-{rows}-queries.npy"
    if not (base.exists() and queries.exists()):
        if not bench.exists():
            raise FileNotFoundError(f"{bench} is missing: cargo build --release -p nearfield-bench")
        size = ["--rows", str(rows), "--queries", str(QUERIES)]
        subprocess.run([bench, "data", "--out", base, "--queries-out", queries, *size], check=True)
    return base, queries, "euclidean"


def fashion(cache):
    base, queries = cache / "fashion-mnist-base.npy", cache / "fashion-mnist-queries.npy"
    for path, name in ((base, "train"), (queries, "t10k")):
        source = FASHION / f"{name}-images-idx3-ubyte.gz"
        if not path.exists():
            if not source.exists():
                raise FileNotFoundError(f"{source} is missing: apt-get install dataset-fashion-mnist")
            raw = np.frombuffer(gzip.decompress(source.read_bytes()), np.uint8)
            np.save(path, raw[16:].reshape(-1, 784))
    return base, queries, "euclidean"


def demo(cache):
    """The vectors of the demonstration in this repository: 19,981 senses, the last rows as queries."""
    base, queries = cache / "demo-base.npy", cache / "demo-queries.npy"
    if not (base.exists() and queries.exists()):
        vectors = np.load(DEMO / "vectors.npy").astype(np.float32)
        order = np.random.default_rng(1).permutation(len(vectors))
        np.save(queries, vectors[order[:QUERIES]])
        np.save(base, vectors[order[QUERIES:]])
    return base, queries, "cosine"


def source(name, cache, options):
    """Files of rows and queries, the metric, and the given answers or nothing."""
    if name.startswith("generated-"):
        rows = {"100k": 100_000, "200k": 200_000, "1m": 1_000_000}[name.removeprefix("generated-")]
        return *generated(cache, min(rows, options.rows or rows), options.bench), None
    if name == "fashion-mnist":
        return *fashion(cache), None
    if name == "glosses":
        made = all((cache / f"glosses-{part}.npy").exists() for part in ("base", "queries"))
        if not made and options.rows and options.rows <= 20_000:
            return *demo(cache), None
        return *glosses.prepare(cache), "cosine", None
    if name == "real":
        if not options.real:
            raise FileNotFoundError("--real BASE.npy,QUERIES.npy[,TRUTH.npy] is not given")
        paths = [Path(path) for path in options.real.split(",")]
        return paths[0], paths[1], options.real_metric, paths[2] if len(paths) > 2 else None
    raise FileNotFoundError(f"no data set is called {name}")


# ------------------------------------------------------------------ answers


def nearest(base, queries, wanted):
    """The exact nearest of each query among the rows of a mask, and the distance of the last."""
    import faiss

    numbers, distances = [], []
    for start in range(0, len(base), BLOCK):
        inside = np.flatnonzero(wanted[start : start + BLOCK])
        if len(inside):
            rows = base.read(start, start + BLOCK)[inside]
            found, where = faiss.knn(queries, rows, min(2 * LIMIT, len(rows)))
            numbers.append(start + inside[where])
            distances.append(found)
    numbers, distances = np.hstack(numbers), np.hstack(distances)
    # float32 sums differ in their last digits; the order among the nearest is settled in float64.
    best = np.argsort(distances, axis=1, kind="stable")[:, : 2 * LIMIT]
    numbers = np.take_along_axis(numbers, best, 1)
    exact = measure(base, queries, numbers)
    best = np.argsort(exact, axis=1, kind="stable")[:, :LIMIT]
    return np.take_along_axis(numbers, best, 1), np.take_along_axis(exact, best, 1)[:, -1]


def measure(base, queries, numbers):
    """Squared distances in float64 of each query to its rows."""
    rows = base.pick(numbers).astype(np.float64)
    return ((rows - queries[:, None].astype(np.float64)) ** 2).sum(2)


class Answers:
    """Counts recall: a hit as near as the tenth counts, whichever row it is."""

    def __init__(self, spec):
        self.base = Rows(spec["base"], spec["metric"])
        self.queries = Rows(spec["queries"], spec["metric"]).read(0, spec["query_count"])
        self.wanted = np.load(spec["fields"])
        self.farthest = np.load(spec["answers"])

    def recall(self, found, matching=None):
        """Of the first queries, for which the rows found are given."""
        limit = self.farthest[matching or "all"][: len(found)] * (1 + 1e-6) + 1e-9
        hits = np.full((len(found), LIMIT), -1)
        for query, rows in enumerate(found):
            rows = list(dict.fromkeys(rows[:LIMIT]))
            hits[query, : len(rows)] = rows
        real = (hits >= 0) & (hits < len(self.base))
        hits = np.where(real, hits, 0)
        if matching:
            real &= self.wanted[hits, list(FIELDS).index(matching)] == 0
        near = measure(self.base, self.queries[: len(found)], hits) <= limit[:, None]
        return float((near & real).sum() / (LIMIT * len(found)))


def prepare(name, cache, options):
    """Everything that the measurements of a set need; a dictionary that a worker understands."""
    cache.mkdir(parents=True, exist_ok=True)
    base_path, queries_path, metric, truth = source(name, cache, options)
    base = Rows(base_path, metric)
    rows = min(len(base), options.rows or len(base))
    if rows < len(base):
        # A file of its own, so that every program reads the same.
        cut = cache / f"{base_path.stem}-first-{rows}.npy"
        if not cut.exists():
            np.save(cut, np.load(base_path, mmap_mode="r")[:rows])
        base_path, base, truth = cut, Rows(cut, metric), None
    queries = Rows(queries_path, metric)
    count = min(len(queries), options.queries)
    stem = f"{base_path.stem}-{rows}-{count}"

    if count < len(queries):
        cut = cache / f"{queries_path.stem}-first-{count}.npy"
        if not cut.exists():
            np.save(cut, np.load(queries_path, mmap_mode="r")[:count])
        queries_path, queries = cut, Rows(cut, metric)

    fields_path = cache / f"{stem}-fields.npy"
    if not fields_path.exists():
        random = np.random.default_rng(7)
        np.save(fields_path, np.stack([random.integers(0, of, rows) for of in FIELDS.values()], 1).astype(np.int32))
    answers_path, truth_path = cache / f"{stem}-answers.npz", cache / f"{stem}-truth.npy"
    if not (answers_path.exists() and truth_path.exists()):
        print(f"{name}: exact answers", file=sys.stderr, flush=True)
        asked, fields = queries.read(0, count), np.load(fields_path)
        farthest = {}
        if truth is None:
            numbers, farthest["all"] = nearest(base, asked, np.ones(rows, bool))
        else:
            numbers = np.load(truth)[:count]
            farthest["all"] = np.sort(measure(base, asked, numbers[:, : 2 * LIMIT]), 1)[:, LIMIT - 1]
        for place, field in enumerate(FIELDS):
            farthest[field] = nearest(base, asked, fields[:, place] == 0)[1]
        np.savez(answers_path, **farthest)
        np.save(truth_path, numbers.astype(np.int32))
    return {
        "name": name,
        "base": str(base_path.resolve()),
        "queries": str(queries_path.resolve()),
        "metric": metric,
        "rows": rows,
        "dimension": base.dimension,
        "query_count": count,
        "fields": str(fields_path.resolve()),
        "answers": str(answers_path.resolve()),
        "truth": str(truth_path.resolve()),
    }


def arguments(parser):
    """What tells which data, for this program and `run.py`."""
    parser.add_argument("--cache", type=Path, default=HERE / ".data", help="folder of prepared data")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=None, metavar="NAME", help=f"of {', '.join(SETS)}")
    parser.add_argument("--rows", type=int, help="take at most so many rows of each set")
    parser.add_argument("--queries", type=int, default=QUERIES, help="take at most so many queries")
    parser.add_argument("--real", metavar="BASE,QUERIES[,TRUTH]", help="the set `real`: .npy files, TRUTH of int32")
    parser.add_argument("--real-metric", choices=("euclidean", "cosine"), default="euclidean")
    parser.add_argument("--bench", type=Path, default=BENCH, help="the program nearfield-bench")


def chosen(options):
    """The names of the sets to measure."""
    return list(options.sets or DEFAULT) + (["real"] if options.real and "real" not in (options.sets or ()) else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments(parser)
    options = parser.parse_args()
    os.nice(19)
    for name in chosen(options):
        try:
            print(json.dumps(prepare(name, options.cache, options), indent=2))
        except FileNotFoundError as error:
            sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
