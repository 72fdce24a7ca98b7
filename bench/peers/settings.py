"""What every peer is built and searched with, and why.

A peer has one or more variants; all are built, and the one with the higher product of its rates at
recall 0.95 and 0.99 is measured. A sweep is a list of groups; in a group the settings go from fast to
thorough, and a group is left once it reaches the highest recall that is asked for.
"""

import math
from dataclasses import dataclass, field

THREADS = 2  # to build with, at most
LIMIT = 10  # hits per query
TARGETS = (0.95, 0.99)  # recall@10 without a filter
FILTER_TARGET = 0.95
# Fields are independent of the vectors: `a = 0` matches a tenth of the rows, and so on.
FIELDS = {"a": 10, "b": 100, "c": 1000}
BATCH = 1_000  # rows that are acknowledged at once

# Rows given to `add` at once while an index is built.
BUILD_BATCH = {
    "faiss": 10_000,  # threads share one call, and a small call leaves them idle
    "hnswlib": 10_000,
    "usearch": 10_000,
    "lancedb": 10_000,  # every call makes a file and a version; its documentation asks for few
}

EF = (10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024)
PROBES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096)


@dataclass(frozen=True)
class Variant:
    name: str
    why: str
    parameters: dict = field(default_factory=dict)
    metrics: tuple = ("euclidean", "cosine")


def lists(rows):
    """Lists of an inverted file: the power of two nearest to 4 sqrt(rows), where the range that
    FAISS recommends (4 to 16 sqrt(rows)) begins; more lists were slower to train and no faster."""
    return 2 ** round(math.log2(4 * math.sqrt(rows)))


VARIANTS = {
    "faiss-hnsw": [
        Variant("M=16", "small graph, efConstruction as is usual", {"factory": "HNSW16,Flat", "ef_construction": 200}),
        Variant("M=32", "the M that FAISS names by default", {"factory": "HNSW32,Flat", "ef_construction": 200}),
    ],
    "faiss-ivfpq": [
        Variant(
            "PQ d/2 x 4 fs, refined",
            "4-bit codes of two components each, scanned in registers, then exact distances; coding "
            "residuals (fsr) was three times slower at the same recall, and training OPQ took minutes",
            {"factory": "IVF{lists},PQ{half}x4fs,RFlat"},
        ),
    ],
    "faiss-rabitq": [
        Variant(
            "1 bit fs, refined",
            "IndexIVFRaBitQFastScan; the codes need a random rotation first",
            {"factory": "RR{dim},IVF{lists},RaBitQfs,RFlat"},
        ),
        Variant(
            "1 bit, refined",
            "IndexIVFRaBitQ, which was faster where lists are short",
            {"factory": "RR{dim},IVF{lists},RaBitQ,RFlat"},
        ),
        Variant(
            "4 bits fs, refined",
            "more bits need fewer exact distances",
            {"factory": "RR{dim},IVF{lists},RaBitQfs4,RFlat"},
        ),
    ],
    "hnswlib": [
        Variant("M=16", "its default M, and the ef_construction of its examples", {"m": 16, "ef_construction": 200}),
        Variant("M=32", "a denser graph for high recall", {"m": 32, "ef_construction": 200}),
    ],
    "usearch": [
        Variant("f32", "defaults: connectivity 16, expansion_add 128", {"dtype": "f32", "connectivity": 16, "expansion_add": 128}),
        Variant("bf16", "half the bytes, which its documentation recommends", {"dtype": "bf16", "connectivity": 16, "expansion_add": 128}),
    ],
    "qdrant-edge": [
        Variant("int8, m=16", "its default graph; int8 codes in memory, exact distances for the last", {"m": 16, "ef_construct": 100}),
        Variant("int8, m=32", "a denser graph for high recall", {"m": 32, "ef_construct": 200}),
    ],
    "zvec": [
        Variant("HNSW int8, m=16", "the graph of its published benchmark, int8 codes, refined", {"m": 16, "ef_construction": 200}),
        Variant("HNSW int8, m=50", "its default graph, int8 codes, refined", {"m": 50, "ef_construction": 500}),
    ],
    "lancedb": [
        Variant("IVF_RQ", "1-bit RaBitQ, refined; what its documentation names for filters", {"index": "IVF_RQ"}),
        Variant("IVF_HNSW_SQ", "its fastest kind: one graph, 8-bit codes, refined", {"index": "IVF_HNSW_SQ"}),
    ],
    "sqlite-vec": [
        Variant("float32", "it has no index: every row is compared", {"kind": "float"}),
        Variant("bits, rescored", "codes of one bit, then exact distances, as it documents", {"kind": "bit"}, ("cosine",)),
    ],
}


def sweep(peer, variant, rows, filtered):
    """Groups of settings to try."""
    if peer in ("faiss-hnsw", "hnswlib", "usearch"):
        return [[{"ef": ef} for ef in EF]]
    if peer in ("faiss-ivfpq", "faiss-rabitq"):
        probes = [probes for probes in PROBES[5 if filtered else 0 :] if probes <= lists(rows)]
        factors = (1, 4, 16) if filtered else (1, 2, 4, 8, 16, 32)
        return [[{"nprobe": p, "k_factor": k} for p in probes] for k in factors]
    if peer == "qdrant-edge":
        # Oversampling multiplies the hits that are compared exactly.
        return [[{"hnsw_ef": ef, "oversampling": o} for ef in EF[2:]] for o in (1.0, 2.0, 4.0)]
    if peer == "zvec":
        return [[{"ef": ef} for ef in EF]]
    if peer == "lancedb" and variant.parameters["index"] == "IVF_RQ":
        probes = PROBES[1:16:2] if not filtered else PROBES[2:16:3]
        return [[{"nprobes": p, "refine_factor": r} for p in probes] for r in (5, 10, 20, 40)]
    if peer == "lancedb":
        # It refuses an ef below the hits that are refined.
        return [[{"ef": ef, "refine_factor": r} for ef in EF[0::2] if ef >= LIMIT * r] for r in (1, 2, 4)]
    if variant.parameters["kind"] == "bit":
        return [[{"oversampling": o} for o in (2, 4, 8, 16, 32, 64, 128)]]
    return [[{}]]
