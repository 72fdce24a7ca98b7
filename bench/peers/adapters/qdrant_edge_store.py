"""Qdrant Edge: one shard, int8 scalar quantization."""

import qdrant_edge as qdrant

from adapters.base import Peer, chunks
from settings import FIELDS, LIMIT

CALL_QUERIES = 100


class Adapter(Peer):
    durability = {
        "sync": "update() and flush() for every batch",
        "os": "update(): its log is mapped memory",
    }

    def create(self, fields, durability):
        self.durable = durability == "sync"
        distance = qdrant.Distance.Euclid if self.metric == "euclidean" else qdrant.Distance.Cosine
        config = qdrant.EdgeConfig(
            vectors=qdrant.EdgeVectorParams(size=self.dimension, distance=distance),
            hnsw_config=qdrant.HnswIndexConfig(
                m=self.parameters["m"],
                ef_construct=self.parameters["ef_construct"],
                full_scan_threshold=10_000,  # its default
                max_indexing_threads=self.threads,
            ),
            quantization_config=qdrant.ScalarQuantizationConfig(
                qdrant.ScalarType.Int8, quantile=0.99, memory=qdrant.Memory.Pinned
            ),
            # One segment gives the most queries per second; nothing is left without an index.
            optimizers=qdrant.EdgeOptimizersConfig(
                default_segment_number=1, max_segment_size=100_000_000, indexing_threshold=1_000
            ),
            max_search_threads=self.threads,
        )
        self.shard = qdrant.EdgeShard.create(self.folder, config)
        if fields:
            for name in FIELDS:
                kind = qdrant.PayloadSchemaType.Integer
                self.shard.update(qdrant.UpdateOperation.create_field_index(name, kind))

    def prepare(self, first, vectors, fields):
        rows = enumerate(vectors.tolist(), first)
        if fields is None:
            points = [qdrant.Point(row, vector) for row, vector in rows]
        else:
            of_rows = [dict(zip(fields, values)) for values in zip(*fields.values())]
            points = [qdrant.Point(row, vector, of_row) for (row, vector), of_row in zip(rows, of_rows)]
        return qdrant.UpdateOperation.upsert_points(points)

    def add(self, batch):
        self.shard.update(batch)
        if self.durable:
            self.shard.flush()

    def finish(self):
        while self.shard.optimize():
            pass
        self.shard.flush()
        missing = self.rows - self.shard.info().indexed_vectors_count
        if missing > 0:
            raise RuntimeError(f"{missing} rows are not in the index")

    def matching(self, name, rows):
        return qdrant.Filter(must=[qdrant.FieldCondition(name, match=qdrant.MatchValue(0))])

    def calls(self, queries, setting, matching):
        quantization = qdrant.QuantizationSearchParams(rescore=True, oversampling=setting["oversampling"])
        parameters = qdrant.SearchParams(hnsw_ef=setting["hnsw_ef"], quantization=quantization)
        requests = [
            qdrant.QueryRequest(LIMIT, query=qdrant.Query.Nearest(query), filter=matching, params=parameters)
            for query in queries.tolist()
        ]
        return [(qdrant.QueryBatchRequest(chunk), len(chunk)) for chunk in chunks(requests, CALL_QUERIES)]

    def search(self, call):
        return self.shard.query_batch(call)

    def ids(self, result):
        return [[hit.id for hit in hits] for hits in result]

    def close(self):
        self.shard.close()
