"""USearch: a graph in memory."""

import os

import numpy as np
from usearch.index import Index

from adapters.base import Peer
from settings import LIMIT


class Adapter(Peer):
    own_threads = True
    filters = "its Python package has no filters"

    def create(self, fields, durability):
        self.index = Index(
            ndim=self.dimension,
            metric="l2sq" if self.metric == "euclidean" else "cos",
            dtype=self.parameters["dtype"],
            connectivity=self.parameters["connectivity"],
            expansion_add=self.parameters["expansion_add"],
        )
        self.count = self.threads

    def add(self, batch):
        first, vectors = batch
        self.index.add(np.arange(first, first + len(vectors)), vectors, threads=self.threads)

    def search_threads(self, count):
        self.count = count

    def calls(self, queries, setting, matching):
        return [((queries, setting["ef"]), len(queries))]

    def search(self, call):
        queries, ef = call
        self.index.expansion_search = ef
        return self.index.search(queries, LIMIT, threads=self.count).keys

    def ids(self, result):
        return result.tolist()

    def disk(self):
        path = os.path.join(self.folder, "index.usearch")
        self.index.save(path)
        size = os.path.getsize(path)
        os.unlink(path)
        return size
