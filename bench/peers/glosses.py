"""Sentence embeddings: the definitions of WordNet, embedded with all-MiniLM-L6-v2 (384 dimensions).

    python glosses.py [--cache .data]

The work is done in chunks that are kept, so it can be stopped and started again. One thread at the
lowest priority; 5 to 9 seconds per thousand. `data.py` calls it where the set is missing.

The model is the one of `cli/data/make.py`, written out in numpy there, so that no deep learning
framework is needed.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import argparse
import importlib.util
import random
import sys
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
WORDNET = Path("/usr/share/wordnet")
PARTS = ("noun", "verb", "adj", "adv")
BASE_ROWS = 100_000
QUERY_ROWS = 1_000
CHUNK_ROWS = 1_000


def demo():
    """`cli/data/make.py`, which holds the model and knows what a definition is."""
    spec = importlib.util.spec_from_file_location("make", HERE.parents[1] / "cli/data/make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sentences(make):
    """Distinct definitions in a fixed shuffled order."""
    found = {}
    for part in PARTS:
        for line in (WORDNET / f"data.{part}").read_text("utf-8").splitlines():
            if not line.startswith(" "):  # the licence at the top
                found[make.definition(line.split(" | ", 1)[1])] = None
    texts = [text for text in found if text]
    random.Random(1).shuffle(texts)
    return texts[: QUERY_ROWS + BASE_ROWS]


def prepare(cache):
    """Queries and rows as float32 of unit length; the first sentences are the queries."""
    base_path, queries_path = cache / "glosses-base.npy", cache / "glosses-queries.npy"
    if base_path.exists() and queries_path.exists():
        return base_path, queries_path
    if not WORDNET.exists():
        raise FileNotFoundError(f"{WORDNET} is missing: apt-get install wordnet-base")
    make = demo()
    texts = sentences(make)
    chunks = cache / "glosses-chunks"
    chunks.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(texts), CHUNK_ROWS)
    missing = [start for start in starts if not (chunks / f"{start}.npy").exists()]
    model = make.Model() if missing else None
    for done, start in enumerate(missing, 1):
        began = time.monotonic()
        vectors = model.embed(texts[start : start + CHUNK_ROWS])
        partial = chunks / f"{start}.part.npy"
        np.save(partial, vectors)
        partial.rename(chunks / f"{start}.npy")
        took = time.monotonic() - began
        print(f"glosses: {done} of {len(missing)} chunks, {took:.1f} s each", flush=True)
    vectors = np.concatenate([np.load(chunks / f"{start}.npy") for start in starts])
    np.save(queries_path, vectors[:QUERY_ROWS])
    np.save(base_path, vectors[QUERY_ROWS:])
    return base_path, queries_path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=HERE / ".data")
    options = parser.parse_args()
    os.nice(19)
    try:
        print(*prepare(options.cache), sep="\n")
    except FileNotFoundError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
