"""Nearfield as a vector store of LangChain; needs ``langchain-core``."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from .._errors import NotFound
from .._inputs import FilterLike, Metric
from .._nearfield import Collection, Database, Hit, connect

#: The member of a point's metadata that holds the text.
TEXT = "text"
#: The member that holds the metadata that LangChain knows.
METADATA = "metadata"


class NearfieldVectorStore(VectorStore):
    """Texts with their vectors, in a collection of Nearfield.

    Filters are those of Nearfield; a text's metadata is below ``metadata``:

    >>> store = NearfieldVectorStore(embedding, "./data", "texts")       # doctest: +SKIP
    >>> store.add_texts(["a text"], [{"year": 1961}])                    # doctest: +SKIP
    >>> store.similarity_search("text", filter="metadata.year > 1960")   # doctest: +SKIP
    """

    def __init__(
        self,
        embedding: Embeddings,
        database: Database | str | os.PathLike[str] = ":memory:",
        collection: str = "langchain",
        *,
        metric: Metric = "cosine",
        recall: float = 0.95,
        **options: Any,
    ) -> None:
        """Opens ``collection``; it is made with the first text if it is not there.

        ``database`` is an open one, or what ``connect`` opens with ``options``.
        """
        self._embedding = embedding
        self._database = (
            database if isinstance(database, Database) else connect(database, **options)
        )
        self._name = collection
        self._metric: Metric = metric
        self._recall = recall

    @property
    def embeddings(self) -> Embeddings:
        """What makes vectors of texts."""
        return self._embedding

    @property
    def collection(self) -> Collection | None:
        """The collection; None until the first text is added."""
        try:
            return self._database.collection(self._name)
        except NotFound:
            return None

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Adds texts, or replaces those with the same ids; gives their ids."""
        texts = list(texts)
        if not texts:
            return []
        given = ids or [None] * len(texts)
        names = [str(uuid.uuid4()) if each is None else each for each in given]
        rows = [
            {TEXT: text, METADATA: metadata}
            for text, metadata in zip(texts, metadatas or [{}] * len(texts), strict=True)
        ]
        vectors = self._embedding.embed_documents(texts)
        self._opened(len(vectors[0])).upsert(names, vectors, rows)
        return names

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        """Adds the texts of documents, under their ids if they have any."""
        ids = kwargs.pop("ids", None) or [document.id for document in documents]
        texts = [document.page_content for document in documents]
        metadatas = [document.metadata for document in documents]
        return self.add_texts(texts, metadatas, ids=ids, **kwargs)

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool | None:
        """Removes texts; without ids, those that match ``filter``."""
        collection = self.collection
        filter = kwargs.get("filter")
        if collection is not None and (ids or filter is not None):
            collection.delete(ids, filter=filter) if ids else collection.delete(filter=filter)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Reads texts; ids that are not there are passed over."""
        collection = self.collection
        if collection is None or not ids:
            return []
        points = collection.get(list(ids), with_vectors=False)
        return [_document(point.id, point.metadata) for point in points if point is not None]

    def similarity_search(
        self, query: str, k: int = 4, *, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[Document]:
        """The texts that are nearest to a text."""
        found = self.similarity_search_with_score(query, k, filter=filter)
        return [document for document, _ in found]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: FilterLike | None = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The texts that are nearest to a text, with their scores."""
        vector = self._embedding.embed_query(query)
        hits = self._hits(vector, k, filter)
        return [(_document(hit.id, hit.metadata), hit.score) for hit in hits]

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        *,
        filter: FilterLike | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """The texts that are nearest to a vector."""
        hits = self._hits(embedding, k, filter)
        return [_document(hit.id, hit.metadata) for hit in hits]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: FilterLike | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Texts that are near to a text and differ from each other."""
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(
            vector, k, fetch_k, lambda_mult, filter=filter
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: FilterLike | None = None,
        **kwargs: Any,
    ) -> list[Document]:
        """Texts that are near to a vector and differ from each other."""
        hits = list(self._hits(embedding, fetch_k, filter, with_vectors=True))
        vectors = [[] if hit.vector is None else hit.vector.tolist() for hit in hits]
        chosen = maximal_marginal_relevance(
            np.array(embedding, np.float32), vectors, lambda_mult=lambda_mult, k=k
        )
        return [_document(hits[at].id, hits[at].metadata) for at in chosen]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> NearfieldVectorStore:
        """A store with these texts; takes what the class takes."""
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._metric == "cosine":
            return lambda score: (score + 1.0) / 2.0
        if self._metric == "euclidean":
            return lambda score: 1.0 / (1.0 + score)
        return lambda score: score

    def _opened(self, dimension: int) -> Collection:
        collection = self.collection
        if collection is None:
            collection = self._database.create_collection(
                self._name, dimension=dimension, metric=self._metric, unindexed_fields=[TEXT]
            )
        return collection

    def _hits(
        self,
        vector: list[float],
        limit: int,
        filter: FilterLike | None,
        with_vectors: bool = False,
    ) -> Iterator[Hit]:
        collection = self.collection
        if collection is None or limit < 1:
            return iter(())
        return iter(
            collection.search(
                vector,
                limit,
                filter=filter,
                recall=self._recall,
                with_metadata=True,
                with_vectors=with_vectors,
            )
        )


def _document(name: int | str, metadata: dict[str, Any] | None) -> Document:
    metadata = metadata or {}
    return Document(
        id=str(name), page_content=metadata.get(TEXT, ""), metadata=metadata.get(METADATA) or {}
    )
