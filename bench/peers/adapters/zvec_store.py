"""zvec: a collection with a graph over int8 codes."""

import os

import zvec

from adapters.base import Peer
from settings import FIELDS, LIMIT


class Adapter(Peer):
    durability = {
        "sync": "insert() and flush() for every batch",
        "os": "insert(): its log is written, not synced",
    }

    def create(self, fields, durability):
        self.durable = durability == "sync"
        zvec.init(
            log_level=zvec.LogLevel.ERROR, query_threads=self.threads, optimize_threads=self.threads
        )
        index = zvec.HnswIndexParam(
            metric_type=zvec.MetricType.L2 if self.metric == "euclidean" else zvec.MetricType.COSINE,
            m=self.parameters["m"],
            ef_construction=self.parameters["ef_construction"],
            quantize_type=zvec.QuantizeType.INT8,
        )
        columns = [zvec.FieldSchema(name, zvec.DataType.INT32, index_param=zvec.InvertIndexParam()) for name in FIELDS]
        vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, self.dimension, index_param=index)
        schema = zvec.CollectionSchema("points", fields=columns if fields else None, vectors=vector)
        self.path = os.path.join(self.folder, "points")
        self.collection = zvec.create_and_open(self.path, schema)

    def prepare(self, first, vectors, fields):
        points = []
        for place, vector in enumerate(vectors):
            of_row = {name: values[place] for name, values in fields.items()} if fields else None
            points.append(zvec.Doc(id=str(first + place), vectors={"vector": vector}, fields=of_row))
        return points

    def add(self, batch):
        for status in self.collection.insert(batch):
            if not status.ok():
                raise RuntimeError(str(status))
        if self.durable:
            self.collection.flush()

    def finish(self):
        self.collection.optimize(zvec.OptimizeOption(concurrency=self.threads))
        self.collection.flush()
        complete = self.collection.stats.index_completeness["vector"]
        if complete < 1:
            raise RuntimeError(f"only {complete:.1%} of the rows are in the index")

    def ready(self):
        # Its fastest searches need a collection that is opened to be read only.
        self.collection.close()
        self.collection = zvec.open(self.path, zvec.CollectionOption(read_only=True))

    def matching(self, name, rows):
        return f"{name} = 0"

    def calls(self, queries, setting, matching):
        parameters = zvec.HnswQueryParam(ef=setting["ef"], is_using_refiner=True)
        return [((zvec.Query("vector", vector=query, param=parameters), matching), 1) for query in queries]

    def search(self, call):
        found = self.collection.query_internal_ids(call[0], topk=LIMIT, filter=call[1])
        return self.collection.resolve_internal_ids(found)

    def ids(self, result):
        return [[int(name) for name in result if name is not None]]

    def close(self):
        self.collection.close()
