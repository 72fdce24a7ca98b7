"""FAISS: graphs and inverted files by its index factory. Unit vectors are compared by L2, too."""

import os

import faiss
import numpy as np

from adapters.base import Peer
from settings import LIMIT, lists

# Fewer than the 256 per centroid that FAISS would take at most, more than the 39 it asks for.
ROWS_PER_CENTROID = 64


class Adapter(Peer):
    own_threads = True

    def create(self, fields, durability):
        faiss.omp_set_num_threads(self.threads)
        count = lists(self.rows)
        factory = self.parameters["factory"].format(lists=count, half=self.dimension // 2, dim=self.dimension)
        self.index = faiss.index_factory(self.dimension, factory)
        self.graph = factory.startswith("HNSW")
        self.rabitq = "RaBitQ" in factory
        if self.graph:
            self.index.hnsw.efConstruction = self.parameters["ef_construction"]

    def training_rows(self):
        return 0 if self.graph else min(self.rows, ROWS_PER_CENTROID * lists(self.rows))

    def train(self, sample):
        self.index.train(sample)

    def add(self, batch):
        self.index.add(batch[1])

    def search_threads(self, count):
        faiss.omp_set_num_threads(count)

    def matching(self, name, rows):
        mask = np.zeros(self.rows, bool)
        mask[rows] = True
        return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))

    def calls(self, queries, setting, matching):
        chosen = {} if matching is None else {"sel": matching}
        if self.graph:
            parameters = faiss.SearchParametersHNSW(efSearch=setting["ef"], **chosen)
        elif self.rabitq:
            # Bits per component of the query: 4, 6 and 8 were equally fast; none is an error.
            inner = faiss.IVFRaBitQSearchParameters(nprobe=setting["nprobe"], qb=8, **chosen)
            turned = faiss.SearchParametersPreTransform(index_params=inner)
            parameters = faiss.IndexRefineSearchParameters(k_factor=setting["k_factor"], base_index_params=turned)
        else:
            inner = faiss.SearchParametersIVF(nprobe=setting["nprobe"], **chosen)
            parameters = faiss.IndexRefineSearchParameters(k_factor=setting["k_factor"], base_index_params=inner)
        return [((queries, parameters), len(queries))]

    def search(self, call):
        return self.index.search(call[0], LIMIT, params=call[1])[1]

    def ids(self, result):
        return result.tolist()

    def disk(self):
        path = os.path.join(self.folder, "index.faiss")
        faiss.write_index(self.index, path)
        size = os.path.getsize(path)
        os.unlink(path)
        return size
