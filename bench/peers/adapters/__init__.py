"""One module per peer; each says how the peer is called, nothing of what is measured."""

import importlib

MODULES = {
    "faiss-hnsw": "faiss_index",
    "faiss-ivfpq": "faiss_index",
    "faiss-rabitq": "faiss_index",
    "hnswlib": "hnswlib_index",
    "usearch": "usearch_index",
    "qdrant-edge": "qdrant_edge_store",
    "zvec": "zvec_store",
    "lancedb": "lancedb_store",
    "sqlite-vec": "sqlite_vec_store",
}

PACKAGES = {
    "faiss-hnsw": "faiss-cpu",
    "faiss-ivfpq": "faiss-cpu",
    "faiss-rabitq": "faiss-cpu",
    "hnswlib": "hnswlib",
    "usearch": "usearch",
    "qdrant-edge": "qdrant-edge-py",
    "zvec": "zvec",
    "lancedb": "lancedb",
    "sqlite-vec": "sqlite-vec",
}


def load(peer):
    """The class of a peer."""
    return importlib.import_module(f"{__name__}.{MODULES[peer]}").Adapter
