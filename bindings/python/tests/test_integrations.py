"""The adapters, under the real packages."""

import hashlib

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from llama_index.core import Settings, StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

import nearfield
from nearfield.integrations import langchain, llama_index


def vector_of(text):
    """A vector of the words of a text: texts that share words are near."""
    vector = np.full(32, 0.01)
    for word in text.lower().split():
        vector[hashlib.sha256(word.encode()).digest()[0] % 32] += 1
    return vector.tolist()


class Words(Embeddings):
    def embed_documents(self, texts):
        return [vector_of(text) for text in texts]

    def embed_query(self, text):
        return vector_of(text)


@pytest.fixture(params=["cosine", "dot", "euclidean"])
def texts(request, db):
    return langchain.NearfieldVectorStore(Words(), db, metric=request.param)


def test_langchain_finds_what_it_was_given(texts):
    assert texts.similarity_search("anything") == [] and texts.get_by_ids(["x"]) == []
    texts.delete(["x"])
    documents = [
        Document(id="blue", page_content="a blue river", metadata={"year": 1961}),
        Document(page_content="a red mountain", metadata={"year": 1975, "text": "its own"}),
    ]
    first, second = texts.add_documents(documents)
    assert first == "blue" and len(second) == 36
    (nearest,) = texts.similarity_search("blue river", k=1)
    assert (nearest.id, nearest.page_content) == ("blue", "a blue river")
    assert nearest.metadata == {"year": 1961}
    (found,) = texts.similarity_search("blue river", filter="metadata.year > 1970")
    assert found.id == second and found.metadata == {"year": 1975, "text": "its own"}
    assert [each.id for each in texts.get_by_ids([second, "nobody", "blue"])] == [second, "blue"]
    texts.add_texts(["a green river"], ids=["blue"])
    assert texts.get_by_ids(["blue"])[0].page_content == "a green river"
    for document, score in texts.similarity_search_with_relevance_scores("green river"):
        assert 0 <= score <= 1 or texts._metric == "dot"
    texts.delete(["blue"])
    assert [each.id for each in texts.similarity_search("river")] == [second]


def test_langchain_chooses_texts_that_differ(db):
    store = langchain.NearfieldVectorStore.from_texts(
        ["river one", "river one", "river one two", "mountain"], Words(), database=db
    )
    chosen = store.max_marginal_relevance_search("river one", k=2, lambda_mult=0.1)
    assert chosen[0].page_content == "river one" and chosen[1].page_content != "river one"
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert retriever.invoke("mountain")[0].page_content == "mountain"


def test_langchain_keeps_texts_on_disk(tmp_path):
    with nearfield.connect(tmp_path / "store") as db:
        langchain.NearfieldVectorStore(Words(), db, "texts").add_texts(["a river"])
    with nearfield.connect(tmp_path / "store") as db:
        store = langchain.NearfieldVectorStore(Words(), db, "texts")
        assert store.similarity_search("river")[0].page_content == "a river"


def nodes():
    made = []
    for name, text, year, of in [
        ("n1", "a blue river", 1961, "book"),
        ("n2", "a red mountain", 1975, "book"),
        ("n3", "a green river", 1980, "film"),
    ]:
        related = {NodeRelationship.SOURCE: RelatedNodeInfo(node_id=of)}
        metadata = {"year": year, "tags": [of, "all"]}
        node = TextNode(id_=name, text=text, metadata=metadata, relationships=related)
        node.embedding = vector_of(text)
        made.append(node)
    return made


@pytest.fixture
def store(db):
    store = llama_index.NearfieldVectorStore(db)
    assert store.query(VectorStoreQuery(query_embedding=vector_of("x"))).ids == []
    assert store.add(nodes()) == ["n1", "n2", "n3"]
    return store


def filters(*conditions, condition=FilterCondition.AND):
    made = [MetadataFilter(key=key, operator=operator, value=value) for key, operator, value in conditions]
    return MetadataFilters(filters=made, condition=condition)


@pytest.mark.parametrize(
    ("filter", "ids"),
    [
        (filters(("year", FilterOperator.EQ, 1961)), {"n1"}),
        (filters(("year", FilterOperator.NE, 1961)), {"n2", "n3"}),
        (filters(("year", FilterOperator.GT, 1961), ("year", FilterOperator.LTE, 1975)), {"n2"}),
        (filters(("year", FilterOperator.IN, [1961, 1980])), {"n1", "n3"}),
        (filters(("year", FilterOperator.NIN, [1961, 1980])), {"n2"}),
        (filters(("tags", FilterOperator.CONTAINS, "film")), {"n3"}),
        (filters(("tags", FilterOperator.ALL, ["book", "all"])), {"n1", "n2"}),
        (filters(("tags", FilterOperator.ANY, ["film"])), {"n3"}),
        (filters(("nothing", FilterOperator.IS_EMPTY, None)), {"n1", "n2", "n3"}),
        (
            filters(
                ("year", FilterOperator.EQ, 1961),
                ("year", FilterOperator.EQ, 1980),
                condition=FilterCondition.OR,
            ),
            {"n1", "n3"},
        ),
        (filters(("year", FilterOperator.EQ, 1961), condition=FilterCondition.NOT), {"n2", "n3"}),
    ],
    ids=str,
)
def test_llama_index_filters(store, filter, ids):
    query = VectorStoreQuery(query_embedding=vector_of("river"), similarity_top_k=5, filters=filter)
    assert set(store.query(query).ids) == ids
    assert {node.node_id for node in store.get_nodes(filters=filter)} == ids


def test_llama_index_finds_what_it_was_given(store):
    query = VectorStoreQuery(query_embedding=vector_of("a blue river"), similarity_top_k=2)
    found = store.query(query)
    assert found.ids[0] == "n1" and found.similarities[0] == pytest.approx(1)
    assert found.nodes[0].get_content() == "a blue river" and found.nodes[0].metadata["year"] == 1961
    query.node_ids = ["n2"]
    assert store.query(query).ids == ["n2"]
    (node,) = store.get_nodes(["n2", "nobody"])
    assert node.embedding == pytest.approx(vector_of("a red mountain"))
    store.delete("book")
    assert [node.node_id for node in store.get_nodes()] == ["n3"]
    store.delete_nodes(["n3"], filters(("year", FilterOperator.EQ, 1)))
    assert len(store.get_nodes()) == 1
    store.delete_nodes(["n3"])
    store.clear()
    assert store.get_nodes() == []


def test_llama_index_indexes_and_retrieves(db):
    class WordEmbedding(BaseEmbedding):
        def _get_query_embedding(self, query):
            return vector_of(query)

        def _get_text_embedding(self, text):
            return vector_of(text)

        async def _aget_query_embedding(self, query):
            return vector_of(query)

    Settings.embed_model = WordEmbedding()
    store = llama_index.NearfieldVectorStore(db, "nodes")
    context = StorageContext.from_defaults(vector_store=store)
    plain = [TextNode(text="a blue river"), TextNode(text="a red mountain")]
    index = VectorStoreIndex(plain, storage_context=context)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("red mountain")
    assert found.node.get_content() == "a red mountain"
