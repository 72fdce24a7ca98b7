"""LanceDB: a table with an IVF index."""

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import Bitmap, HnswSq, IvfRq

from adapters.base import Peer, chunks
from settings import FIELDS, LIMIT

CALL_QUERIES = 50


class Adapter(Peer):
    durability = {"os": "add(): it never syncs, and has no call that does"}

    def create(self, fields, durability):
        if durability == "sync":
            raise NotImplementedError(self.durability["os"])
        columns = [("id", pa.int64()), ("vector", pa.list_(pa.float32(), self.dimension))]
        self.fields = list(FIELDS) if fields else []
        self.schema = pa.schema(columns + [(name, pa.int32()) for name in self.fields])
        self.table = lancedb.connect(self.folder).create_table("points", schema=self.schema)

    def prepare(self, first, vectors, fields):
        columns = {
            "id": np.arange(first, first + len(vectors)),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), self.dimension),
        }
        return pa.table(columns | (fields or {}), schema=self.schema)

    def add(self, batch):
        self.table.add(batch)

    def finish(self):
        distance = "l2" if self.metric == "euclidean" else "cosine"
        if self.parameters["index"] == "IVF_RQ":
            config = IvfRq(distance_type=distance)
        else:
            config = HnswSq(distance_type=distance)
        self.table.optimize()
        self.table.create_index("vector", config=config)
        for name in self.fields:
            self.table.create_index(name, config=Bitmap())
        missing = self.table.index_stats("vector_idx").num_unindexed_rows
        if missing:
            raise RuntimeError(f"{missing} rows are not in the index")

    def matching(self, name, rows):
        return f"{name} = 0"

    def calls(self, queries, setting, matching):
        return [((chunk, setting, matching), len(chunk)) for chunk in chunks(list(queries), CALL_QUERIES)]

    def search(self, call):
        queries, setting, matching = call
        search = self.table.search(queries, vector_column_name="vector").limit(LIMIT)
        search = search.select(["id", "_distance"]).refine_factor(setting["refine_factor"])
        search = search.nprobes(setting["nprobes"]) if "nprobes" in setting else search.ef(setting["ef"])
        if matching:
            search = search.where(matching)
        return search.to_arrow(), len(queries)

    def ids(self, result):
        table, count = result
        found = [[] for _ in range(count)]
        if count == 1 and "query_index" not in table.column_names:
            return [table["id"].to_pylist()]
        for query, row in zip(table["query_index"].to_pylist(), table["id"].to_pylist()):
            found[query].append(row)
        return found
