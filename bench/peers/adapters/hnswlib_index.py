"""hnswlib: a graph in memory. Unit vectors are compared by L2, too."""

import os

import hnswlib
import numpy as np

from adapters.base import Peer, chunks
from settings import LIMIT


class Adapter(Peer):
    own_threads = True

    def create(self, fields, durability):
        self.index = hnswlib.Index("l2", self.dimension)
        self.index.init_index(self.rows, M=self.parameters["m"], ef_construction=self.parameters["ef_construction"])
        self.count = self.threads

    def add(self, batch):
        first, vectors = batch
        self.index.add_items(vectors, np.arange(first, first + len(vectors)), num_threads=self.threads)

    def search_threads(self, count):
        self.count = count

    def matching(self, name, rows):
        # It asks a Python function about each row that it comes by, which wants one thread.
        return set(rows.tolist()).__contains__

    def calls(self, queries, setting, matching):
        if matching is None:
            return [((queries, setting["ef"], None), len(queries))]
        return [((chunk, setting["ef"], matching), len(chunk)) for chunk in chunks(queries, 10)]

    def search(self, call):
        queries, ef, matching = call
        self.index.set_ef(ef)
        threads = self.count if matching is None else 1
        return self.index.knn_query(queries, k=LIMIT, num_threads=threads, filter=matching)[0]

    def ids(self, result):
        return result.tolist()

    def disk(self):
        path = os.path.join(self.folder, "index.bin")
        self.index.save_index(path)
        size = os.path.getsize(path)
        os.unlink(path)
        return size
