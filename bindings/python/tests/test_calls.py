"""How calls run: beside each other, interrupted, in a loop, in a child, over and over."""

import asyncio
import collections.abc
import copy
import gc
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import nearfield


@pytest.fixture(scope="module")
def large():
    """A collection whose exact searches take long."""
    with nearfield.connect(":memory:", search_threads=1) as db:
        docs = db.create_collection("large", dimension=256, metric="dot")
        rows = np.random.default_rng(1).standard_normal((8_000, 256), np.float32)
        docs.upsert_batches([(range(len(rows)), rows)])
        yield docs


def queries_for(docs, seconds):
    """As many query vectors as are searched exactly in about so many seconds."""
    queries = np.random.default_rng(2).standard_normal((10_000, 256), np.float32)
    start = time.monotonic()
    docs.search(queries[:20], recall=1.0)
    return queries[: max(100, int(seconds * 20 / (time.monotonic() - start)))]


def interrupt_after(seconds):
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


def test_an_interrupt_ends_a_long_call_at_once(large):
    queries = queries_for(large, 6.0)
    start = time.monotonic()
    timer = interrupt_after(0.2)
    with pytest.raises(KeyboardInterrupt):
        large.search(queries, recall=1.0)
    timer.join()
    assert time.monotonic() - start < 1.5
    assert len(large.search(queries[0])) == 10


def test_handlers_of_other_libraries_may_stand_in_between(large):
    import polars as pl

    pl.DataFrame({"a": [1]}).lazy().collect()  # polars stands in front of whom it finds
    test_an_interrupt_ends_a_long_call_at_once(large)


def test_a_handler_that_raises_nothing_lets_the_call_go_on(large):
    queries = queries_for(large, 0.5)
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        timer = interrupt_after(0.1)
        found = large.search(queries, recall=1.0)
        timer.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(found) == len(queries) and came == [True]


def test_an_interrupt_between_calls_is_not_kept_for_the_next(docs):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    assert docs.count() == 0


def test_other_threads_run_while_a_call_does(large):
    queries = queries_for(large, 0.5)
    searching = threading.Thread(target=large.search, args=(queries,), kwargs={"recall": 1.0})
    searching.start()
    steps = 0
    while searching.is_alive():
        steps += 1
    searching.join()
    assert steps > 1000


def test_threads_write_and_search_at_once(db):
    docs = db.create_collection("shared", dimension=8, metric="euclidean")
    rows = np.random.default_rng(1).random((400, 8), np.float32)
    failed = []

    def work(number):
        try:
            for at in range(0, 400, 20):
                ids = range(number * 1000 + at, number * 1000 + at + 20)
                docs.upsert(ids, rows[at : at + 20], durability="os")
                assert docs.search(rows[at], limit=1)[0].score == 0
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failed == [] and docs.count() == 8 * 400


def test_closing_waits_for_nobody_and_breaks_nothing(tmp_path):
    db = nearfield.connect(tmp_path / "store")
    docs = db.create_collection("docs", dimension=4)
    ended = []

    def work():
        try:
            for number in range(100_000):
                docs.upsert([number], np.ones((1, 4)), durability="os")
        except nearfield.InvalidArgument as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.1)
    db.close()
    worker.join()
    assert "closed" in str(ended[0])
    with nearfield.connect(tmp_path / "store") as again:
        assert again["docs"].count() > 0


def test_a_child_opens_the_store_after_its_parent(tmp_path):
    program = "import sys, nearfield; print(nearfield.connect(sys.argv[1])['docs'].count())"
    with nearfield.connect(tmp_path / "store") as db:
        db.create_collection("docs", dimension=1).upsert([1], [[1]])
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "store"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "1", done.stderr


def test_two_processes_share_a_path(tmp_path):
    program = """
import sys, nearfield, numpy as np
docs = nearfield.connect(sys.argv[1])["docs"]
docs.upsert(["guest"], np.ones((1, 2), np.float32), [{"from": "a guest"}])
reservation = docs.reserve(1)
reservation.vectors[:] = 2
reservation.commit(["in place"])
print(docs.search([1, 1], limit=1, recall=1.0).ids, docs.count())
"""
    with nearfield.connect(tmp_path / "store") as db:
        docs = db.create_collection("docs", dimension=2, metric="euclidean")
        docs.upsert(["owner"], [[0, 0]])
        done = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "store"], capture_output=True, text=True
        )
        assert done.stdout.strip() == "['guest'] 3", done.stderr
        assert docs.get("guest").metadata == {"from": "a guest"}
        assert docs.get("in place").vector.tolist() == [2, 2]


def test_a_path_that_is_not_shared_is_locked(tmp_path):
    program = "import sys, nearfield; nearfield.connect(sys.argv[1])"
    with nearfield.connect(tmp_path / "store", share=False):
        done = subprocess.run(
            [sys.executable, "-c", program, tmp_path / "store"], capture_output=True, text=True
        )
    assert "Locked" in done.stderr


def test_opening_and_closing_over_and_over_keeps_nothing(tmp_path):
    def open_and_close(number):
        with nearfield.connect(tmp_path / f"store-{number % 2}") as db:
            name = f"docs-{number}"
            docs = db.create_collection(name, dimension=64)
            docs.upsert(range(500), np.ones((500, 64)), [{"n": n} for n in range(500)], durability="os")
            many = docs.search(np.ones((20, 64)), with_metadata=True, with_vectors=True)
            [(hit.metadata, hit.vector) for hits in many for hit in hits]
            docs.reserve(100).vectors[:] = 1
            list(docs.scan(with_vectors=True))
            db.drop_collection(name)
        gc.collect()

    def used():
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[1])
        return pages * resource.getpagesize(), len(os.listdir("/proc/self/fd"))

    for number in range(10):
        open_and_close(number)
    memory, files = used()
    for number in range(30):
        open_and_close(number)
    later, later_files = used()
    assert later_files <= files
    assert later - memory < 24 << 20


def test_a_collection_that_may_exist_is_opened_or_made_through_every_door(anywhere):
    asked = {"dimension": 2, "metric": "dot", "storage": "f16", "unindexed_fields": ["text"]}
    for run in range(1, 4):
        docs = anywhere.create_collection("docs", **asked, exist_ok=True)
        docs.upsert([run], [[1, 2]])
        assert docs.name == "docs" and docs.count() == run
    for field, other in [
        ("dimension", 3),
        ("metric", "cosine"),
        ("storage", "f32"),
        ("unindexed_fields", []),
    ]:
        with pytest.raises(nearfield.AlreadyExists, match="was asked for") as refused:
            anywhere.create_collection("docs", **asked | {field: other}, exist_ok=True)
        assert refused.value.field == field
    with pytest.raises(nearfield.AlreadyExists):
        anywhere.create_collection("docs", **asked)
    assert anywhere.collections() == ["docs"]


def test_the_asyncio_twin_makes_the_same_calls():
    async def main():
        async with await nearfield.connect_async(":memory:", threads=4) as db:
            docs = await db.create_collection("docs", dimension=2, metric="euclidean")
            await docs.upsert([1, 2, 3], [[0, 0], [3, 4], [6, 8]], {"n": [1, 2, 3]})
            searches = [docs.search([0, 0], limit=number + 1) for number in range(3)]
            found = await asyncio.gather(*searches)
            assert [hits.ids for hits in found] == [[1], [1, 2], [1, 2, 3]]
            many = await docs.search(np.zeros((5, 2)), filter="n > 1")
            assert len(many) == 5 and isinstance(many, nearfield.ManyHits)
            assert [point.id async for point in docs.scan(page_points=2)] == [1, 2, 3]
            assert (await docs.get(2)).metadata == {"n": 2}
            assert [each is None for each in await docs.get([2, 9])] == [False, True]
            assert (await docs.update_metadata([1], {"n": 5})).updated == 1
            assert (await docs.delete(filter="n = 5")).deleted == 1
            reservation = await docs.reserve(1)
            reservation.vectors[:] = 7
            await docs.commit(reservation, ["seven"])
            assert await docs.count() == 3 and (await docs.describe()).count == 3
            await docs.upsert_batches([(["a"], [[1, 2]])])
            assert await docs.flush() > 0 and (await docs.compact()).files >= 0
            assert (await db.collection("docs")).name == "docs"
            same = {"dimension": 2, "metric": "euclidean"}
            again = await db.create_collection("docs", **same, exist_ok=True)
            assert await again.count() == 4
            with pytest.raises(nearfield.AlreadyExists):
                await db.create_collection("docs", **same)
            with pytest.raises(nearfield.NotFound):
                await db.collection("nobody")
            await db.drop_collection("docs")
            assert await db.collections() == []
        assert db.closed and "closed" in repr(db)

    asyncio.run(main())


def test_the_loop_goes_on_while_a_call_waits(large):
    queries = queries_for(large, 0.5)

    async def main():
        beats = 0
        searching = asyncio.create_task(asyncio.to_thread(large.search, queries, recall=1.0))
        while not searching.done():
            await asyncio.sleep(0.001)
            beats += 1
        return beats

    assert asyncio.run(main()) > 10


def test_results_are_sequences_and_tables(docs):
    docs.upsert([1, 2, 3], [[0, 0], [3, 4], [6, 8]], {"n": [1, 2, 3], "id": ["x", None, 1]})
    hits = docs.search([0, 0], with_metadata=True, with_vectors=True)
    assert isinstance(hits, collections.abc.Sequence) and len(hits) == 3
    assert [hit.id for hit in hits] == hits.ids == [1, 2, 3]
    assert [hit.id for hit in hits[1:]] == [2, 3] and hits[-1].id == 3
    with pytest.raises(IndexError):
        hits[3]
    assert hits[1].vector.tolist() == [3, 4] and hits[1].metadata == {"n": 2}
    ids, scores = hits.to_numpy()
    assert ids.tolist() == [1, 2, 3] and scores.tolist() == [0, 5, 10]
    columns = ["id", "score", "n", "metadata.id", "vector"]
    assert hits.to_arrow().column_names == columns
    assert hits.to_arrow()["metadata.id"].to_pylist() == ["x", None, "1"]
    assert list(hits.to_pandas().columns) == hits.to_polars().columns == columns
    many = docs.search([[0, 0], [6, 8]], limit=2, with_metadata=True)
    assert many.ids.tolist() == [[1, 2], [3, 2]] and many.scores.shape == (2, 2)
    assert many.ids.dtype == np.uint64 and many.scores.dtype == np.float32
    assert many.to_polars()["query"].to_list() == [0, 0, 1, 1]
    assert many.to_pandas()["n"].tolist() == [1, 2, 3, 2]
    assert [row.ids for row in many] == [[1, 2], [3, 2]] == [row.ids for row in many[:]]
    assert "ManyHits(2" in repr(many) and "Hit(id=1, score=0.0" in repr(hits)
    none = docs.search([[0, 0]], filter="n > 9")
    assert none.ids.shape == (1, 0) and len(none[0]) == 0 and none.to_arrow().num_rows == 0


def test_rows_of_different_lengths_are_filled_up(db):
    docs = db.create_collection("few", dimension=2)
    docs.upsert(["a", 2], [[1, 0], [0, 1]])
    many = docs.search([[1, 0], [0, 1]])
    assert many.ids.tolist() == [["a", 2], [2, "a"]]


def test_handles_say_what_they_are(db, docs):
    assert repr(db) == 'Database(":memory:")' and repr(docs) == 'Collection("docs" in ":memory:")'
    assert list(db) == ["docs"] and "docs" in db and "nobody" not in db
    assert docs.database.collections() == ["docs"] and docs.name == "docs" and bool(docs)
    assert "2 rows of 2" in repr(docs.reserve(2))
    with pytest.raises(TypeError):
        copy.copy(docs)
