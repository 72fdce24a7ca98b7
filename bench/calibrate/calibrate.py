"""Compares real vectors with generated ones: how hard does FAISS find each?

    python3 -m venv .venv && .venv/bin/pip install -r requirements.txt
    .venv/bin/python calibrate.py real=BASE.npy,QUERIES.npy generated=BASE.npy,QUERIES.npy

Prints a table with one column per set. Sets should have the same number of rows.
"""

import os
import sys
import time

# Threads that wait for each other by spinning do not get on with other programs.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import faiss
import numpy as np

NEIGHBOURS = 100
WANTED = 10
LISTS = 1024


def intrinsic_dimension(distances):
    """Maximum likelihood (Levina and Bickel, 2004) per query; median over queries."""
    distances = np.sqrt(np.maximum(distances, 1e-9))
    ratios = np.log(distances[:, -1:] / distances[:, :-1])
    return float(np.median(1.0 / np.maximum(ratios.mean(axis=1), 1e-9)))


def found(truth, ids):
    """The share of the true nearest among the ids."""
    hits = [len(set(t) & set(i)) for t, i in zip(truth[:, :WANTED].tolist(), ids.tolist())]
    return sum(hits) / (WANTED * len(hits))


def measure(base, queries):
    rows, dimension = base.shape
    out = {"rows x dimension": f"{rows} x {dimension}"}
    exact = faiss.IndexFlatL2(dimension)
    exact.add(base)
    distances, truth = exact.search(queries, NEIGHBOURS)
    out["intrinsic dimension (MLE, k = 100)"] = intrinsic_dimension(distances)
    random = np.random.default_rng(1).integers(0, rows, 200)
    pairs = np.linalg.norm(base[random][:, None] - queries[None, :200], axis=2)
    near = np.sqrt(np.maximum(distances[:, WANTED - 1], 0))
    out["mean distance / 10th nearest (median)"] = float(pairs.mean() / np.median(near))
    out["share of zeros"] = float((base == 0).mean())

    flat = faiss.IndexIVFFlat(faiss.IndexFlatL2(dimension), dimension, LISTS)
    flat.cp.niter = 5
    flat.cp.max_points_per_centroid = 64
    flat.train(base)
    flat.add(base)
    sizes = np.array([flat.invlists.list_size(i) for i in range(LISTS)])
    out["IVF: imbalance of lists"] = float((sizes**2).sum() * LISTS / sizes.sum() ** 2)
    for probes in (1, 4, 16, 64):
        flat.nprobe = probes
        out[f"IVFFlat, nprobe {probes}: recall@10"] = found(truth, flat.search(queries, WANTED)[1])

    codes = faiss.IndexIVFPQFastScan(faiss.IndexFlatL2(dimension), dimension, LISTS, dimension // 2, 4)
    codes.cp.niter = 5
    codes.cp.max_points_per_centroid = 64
    codes.train(base[:50_000])
    codes.add(base)
    codes.nprobe = 64
    for count in (10, 30, 100):
        out[f"IVFPQFastScan, nprobe 64, best {count} hold"] = found(truth, codes.search(queries, count)[1])

    # FAISS leaves the rotation that the codes need to its caller.
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(dimension, dimension)))[0].astype(np.float32)
    bits = faiss.IndexRaBitQ(dimension)
    bits.qb = 8
    bits.train(base @ turn)
    bits.add(base @ turn)
    for count in (10, 30, 100, 300):
        out[f"1-bit RaBitQ scan, best {count} hold"] = found(truth, bits.search(queries @ turn, count)[1])
    return out


def main():
    sets = {}
    for argument in sys.argv[1:]:
        name, _, paths = argument.partition("=")
        base, _, queries = paths.partition(",")
        if not queries:
            sys.exit(__doc__)
        sets[name] = [np.load(path).astype(np.float32) for path in (base, queries)]
    if not sets:
        sys.exit(__doc__)
    columns = {name: measure(*matrices) for name, matrices in sets.items()}
    print(f"FAISS {faiss.__version__}, {time.strftime('%Y-%m-%d')}\n")
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for row in next(iter(columns.values())):
        cells = [column[row] for column in columns.values()]
        print(f"| {row} | " + " | ".join(c if isinstance(c, str) else f"{c:.3f}" for c in cells) + " |")


if __name__ == "__main__":
    main()
