"""Nearfield as a vector store of LlamaIndex; needs ``llama-index-core``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from .._errors import NotFound
from .._inputs import Metric
from .._nearfield import Collection, Database, connect

#: Members that LlamaIndex reads back and nobody filters by.
UNINDEXED = ["_node_content"]

_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}


class NearfieldVectorStore(BasePydanticVectorStore):
    """Nodes with their vectors, in a collection of Nearfield."""

    stores_text: bool = True
    flat_metadata: bool = False
    collection_name: str = "llama_index"
    metric: str = "cosine"
    recall: float = 0.95

    _database: Database = PrivateAttr()

    def __init__(
        self,
        database: Database | str | os.PathLike[str] = ":memory:",
        collection: str = "llama_index",
        *,
        metric: Metric = "cosine",
        recall: float = 0.95,
        **options: Any,
    ) -> None:
        """Opens ``collection``; it is made with the first node if it is not there.

        ``database`` is an open one, or what ``connect`` opens with ``options``.
        """
        given: dict[str, Any] = {"collection_name": collection, "metric": metric, "recall": recall}
        super().__init__(**given)
        self._database = (
            database if isinstance(database, Database) else connect(database, **options)
        )

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex knows the class."""
        return "NearfieldVectorStore"

    @property
    def client(self) -> Database:
        """The open store."""
        return self._database

    @property
    def collection(self) -> Collection | None:
        """The collection; None until the first node is added."""
        try:
            return self._database.collection(self.collection_name)
        except NotFound:
            return None

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Adds nodes that have their vectors, or replaces those with the same ids."""
        if not nodes:
            return []
        vectors = [node.get_embedding() for node in nodes]
        collection = self.collection
        if collection is None:
            collection = self._database.create_collection(
                self.collection_name,
                dimension=len(vectors[0]),
                metric=self.metric,  # type: ignore[arg-type]
                unindexed_fields=UNINDEXED,
            )
        rows = [
            node_to_metadata_dict(node, remove_text=False, flat_metadata=self.flat_metadata)
            for node in nodes
        ]
        names = [node.node_id for node in nodes]
        collection.upsert(names, vectors, rows)
        return names

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Removes the nodes that were made of one document."""
        self._remove({"field": "ref_doc_id", "eq": ref_doc_id})

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Removes nodes by id, or those that match; both mean nodes that do both."""
        collection = self.collection
        if collection is None:
            return
        if filters is None:
            if node_ids:
                collection.delete(list(node_ids))
            return
        if node_ids is None:
            collection.delete(filter=filter_of(filters))
            return
        names = [node.node_id for node in self.get_nodes(node_ids, filters)]
        if names:
            collection.delete(names)

    def clear(self) -> None:
        """Removes all nodes."""
        if self.collection is not None:
            self._database.drop_collection(self.collection_name)

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """Reads nodes by id, those that match, or all."""
        collection = self.collection
        if collection is None or node_ids == []:
            return []
        if node_ids is not None and filters is None:
            points = [each for each in collection.get(list(node_ids)) if each is not None]
        else:
            filter = None if filters is None else filter_of(filters)
            wanted = None if node_ids is None else set(node_ids)
            points = [
                point
                for point in collection.scan(filter=filter, with_vectors=True)
                if wanted is None or point.id in wanted
            ]
        nodes = []
        for point in points:
            node = metadata_dict_to_node(point.metadata or {})
            node.embedding = None if point.vector is None else point.vector.tolist()
            nodes.append(node)
        return nodes

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that are nearest to a vector."""
        if query.mode != VectorStoreQueryMode.DEFAULT:
            raise NotImplementedError(f"Nearfield has no mode {query.mode}; use the default one")
        collection = self.collection
        if collection is None or query.query_embedding is None:
            return VectorStoreQueryResult(nodes=[], similarities=[], ids=[])
        conditions: list[dict[str, Any]] = []
        if query.filters is not None and query.filters.filters:
            conditions.append(filter_of(query.filters))
        if query.doc_ids:
            conditions.append({"field": "ref_doc_id", "in": list(query.doc_ids)})
        wanted = set(query.node_ids) if query.node_ids else None
        limit = query.similarity_top_k if wanted is None else collection.count()
        hits = collection.search(
            query.query_embedding,
            max(1, min(limit, 10_000)),
            filter={"must": conditions} if conditions else None,
            recall=self.recall,
            with_metadata=True,
        )
        kept = [hit for hit in hits if wanted is None or hit.id in wanted]
        kept = kept[: query.similarity_top_k]
        return VectorStoreQueryResult(
            nodes=[metadata_dict_to_node(hit.metadata or {}) for hit in kept],
            similarities=[hit.score for hit in kept],
            ids=[str(hit.id) for hit in kept],
        )

    def _remove(self, filter: dict[str, Any]) -> None:
        collection = self.collection
        if collection is not None:
            collection.delete(filter=filter)


def filter_of(filters: MetadataFilters) -> dict[str, Any]:
    """The filter of Nearfield that says what filters of LlamaIndex say."""
    parts = [
        filter_of(each) if isinstance(each, MetadataFilters) else _condition(each)
        for each in filters.filters
    ]
    if filters.condition == FilterCondition.OR:
        return {"should": parts}
    if filters.condition == FilterCondition.NOT:
        return {"must_not": parts}
    return {"must": parts}


def _condition(filter: MetadataFilter) -> dict[str, Any]:
    field, value, operator = filter.key, filter.value, filter.operator
    if operator in (FilterOperator.EQ, FilterOperator.CONTAINS):
        return {"field": field, "eq": value}
    if operator == FilterOperator.NE:
        return {"must_not": [{"field": field, "eq": value}]}
    if operator in _RANGES:
        return {"field": field, "range": {_RANGES[operator]: value}}
    if operator in (FilterOperator.IN, FilterOperator.ANY):
        return {"field": field, "in": _listed(value)}
    if operator == FilterOperator.NIN:
        return {"must_not": [{"field": field, "in": _listed(value)}]}
    if operator == FilterOperator.ALL:
        return {"must": [{"field": field, "eq": each} for each in _listed(value)]}
    if operator == FilterOperator.IS_EMPTY:
        return {"must_not": [{"field": field, "exists": True}]}
    raise NotImplementedError(f"Nearfield has no filter {operator.value}")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
