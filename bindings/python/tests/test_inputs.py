"""What goes in, in all its forms, comes out as it was."""

import array
import datetime
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import nearfield

ROWS = [[0.5, -1.0], [2.0, 3.25], [4.0, 1.5]]


def big(rows, dtype):
    """The rows in an array that is not contiguous."""
    return np.repeat(np.array(rows, dtype=dtype), 2, axis=1)[:, ::2]


@pytest.mark.parametrize(
    "vectors",
    [
        ROWS,
        tuple(map(tuple, ROWS)),
        [np.array(row, np.float32) for row in ROWS],
        [np.array(row, np.float64) for row in ROWS],
        [array.array("f", row) for row in ROWS],
        np.array(ROWS, np.float32),
        np.array(ROWS, np.float64),
        np.array(ROWS, np.float16),
        np.array(ROWS, ">f4"),
        np.asfortranarray(np.array(ROWS, np.float32)),
        big(ROWS, np.float32),
        big(ROWS, np.float64),
        np.array(ROWS[::-1], np.float32)[::-1],
        memoryview(np.array(ROWS, np.float32)),
        pa.FixedSizeListArray.from_arrays(pa.array(sum(ROWS, []), pa.float32()), 2),
        pa.FixedSizeListArray.from_arrays(pa.array(sum(ROWS, []), pa.float64()), 2),
        pa.chunked_array([pa.array(ROWS[:1], pa.list_(pa.float32(), 2)), pa.array(ROWS[1:], pa.list_(pa.float32(), 2))]),
        pa.array(ROWS, pa.list_(pa.float32())),
        pl.Series(ROWS, dtype=pl.Array(pl.Float32, 2)),
        pl.Series(ROWS),
        pd.Series([np.array(row) for row in ROWS]),
        pd.DataFrame(ROWS),
    ],
    ids=lambda vectors: f"{type(vectors).__module__}.{type(vectors).__name__}",
)
def test_vectors_come_back_as_they_were_given(docs, vectors):
    docs.upsert([1, 2, 3], vectors)
    assert [point.vector.tolist() for point in docs.get([1, 2, 3])] == ROWS


def test_tensors_come_through_dlpack(docs):
    class Tensor:
        """What a tensor of another library shows."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    docs.upsert([1, 2, 3], Tensor(np.array(ROWS, np.float32)))
    assert docs.get(2).vector.tolist() == ROWS[1]


def test_integers_are_numbers(docs):
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        docs.upsert([1], np.array([[1, 2]], dtype))
        assert docs.get(1).vector.tolist() == [1, 2]
    docs.upsert([1], [[1, 2]])
    docs.upsert([1], [[np.float32(1), np.int64(2)]])
    docs.upsert(1, [np.float32(1), np.float32(2)])
    assert docs.get(1).vector.tolist() == [1, 2]


@pytest.mark.parametrize(
    "ids",
    [
        [1, 2, 3],
        (1, 2, 3),
        range(1, 4),
        iter([1, 2, 3]),
        {1: 0, 2: 0, 3: 0}.keys(),
        np.array([1, 2, 3]),
        np.array([1, 2, 3], np.uint64),
        np.array([1, 2, 3], np.uint8),
        np.array([1, 0, 2, 0, 3, 0])[::2],
        pa.array([1, 2, 3]),
        pl.Series([1, 2, 3]),
        pd.Series([1, 2, 3]),
        pd.Index([1, 2, 3]),
    ],
    ids=lambda ids: f"{type(ids).__module__}.{type(ids).__name__}",
)
def test_ids_come_in_columns_of_all_kinds(docs, ids):
    docs.upsert(ids, ROWS)
    assert [point.id for point in docs.scan()] == [1, 2, 3]


def test_texts_come_in_columns_of_all_kinds(docs):
    for ids in (np.array(["a", "b", "c"]), pa.array(["a", "b", "c"]), pd.Series(["a", "b", "c"])):
        docs.upsert(ids, ROWS)
        assert [point.id for point in docs.scan()] == ["a", "b", "c"]


def test_ids_are_made_where_none_are_given(docs):
    done = docs.upsert(vectors=ROWS)
    assert len(set(done.ids)) == 3 and all(uuid.UUID(each).version == 4 for each in done.ids)
    assert all(docs.get(done.ids))
    single = docs.upsert(vectors=[1, 2]).ids
    assert docs.get(single).vector.tolist() == [1, 2]


METADATA = [{"n": 1, "t": "a"}, {"n": 2, "t": "b"}, {"n": 3}]


@pytest.mark.parametrize(
    "metadata",
    [
        METADATA,
        tuple(METADATA),
        iter(METADATA),
        {"n": [1, 2, 3], "t": ["a", "b", None]},
        {"n": np.array([1, 2, 3]), "t": ("a", "b", None)},
        pd.DataFrame({"n": [1, 2, 3], "t": ["a", "b", None]}),
    ],
    ids=lambda metadata: type(metadata).__name__,
)
def test_metadata_comes_in_rows_and_columns(docs, metadata):
    docs.upsert([1, 2, 3], ROWS, metadata)
    assert [point.metadata for point in docs.scan()] == METADATA


def test_tables_keep_their_nulls(docs):
    columns = {"n": [1, 2, 3], "t": ["a", "b", None]}
    for table in (pa.table(columns), pl.DataFrame(columns)):
        docs.upsert([1, 2, 3], ROWS, table)
        assert [point.metadata for point in docs.scan()] == [*METADATA[:2], {"n": 3, "t": None}]


def test_every_json_value_comes_back(docs):
    given = {
        "text": 'quotes " and \\ and \n and \u0000 and ü and 🎷',
        "numbers": [0, -1, 2**53, -(2**63), 2**64 - 1, 0.1, 1e300, -0.0, 5e-324],
        "nested": {"a": [{"b": [[], {}]}, None, True, False]},
        "": "empty",
    }
    docs.upsert(1, [1, 2], given)
    assert docs.get(1).metadata == given


def test_other_values_are_said_in_json(docs):
    when = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.timezone.utc)
    name = uuid.uuid4()
    given = {
        "when": when,
        "day": when.date(),
        "id": name,
        "scalar": np.float32(0.5),
        "count": np.int64(3),
        "array": np.array([1, 2]),
        "tuple": (1, 2),
    }
    docs.upsert(1, [1, 2], given)
    assert docs.get(1).metadata == {
        "when": "2024-05-01T12:00:00+00:00",
        "day": "2024-05-01",
        "id": str(name),
        "scalar": 0.5,
        "count": 3,
        "array": [1, 2],
        "tuple": [1, 2],
    }
    assert docs.count(filter="when > '2024-04-30T00:00:00Z'") == 1


def test_filters_are_texts_or_dicts(docs):
    docs.upsert([1, 2, 3], ROWS, METADATA)
    condition = {"must": [{"field": "n", "range": {"gte": 2}}]}
    for filter in ("n >= 2", condition):
        assert docs.count(filter=filter) == 2
        assert sorted(docs.search([0, 0], filter=filter).ids) == [2, 3]
        assert [point.id for point in docs.scan(filter=filter)] == [2, 3]


def test_a_reservation_is_written_in_place_again_and_again(docs):
    reservation = docs.reserve(3)
    view = reservation.vectors
    assert view.shape == (3, 2) and view.dtype == np.float32 and view.flags.writeable
    assert not view.any() and len(reservation) == 3
    view[:] = ROWS
    reservation.commit([1, 2, 3], METADATA)
    view[0] = [9, 9]
    reservation.commit(["nine"])
    assert docs.get("nine").vector.tolist() == [9, 9]
    assert docs.get([1, 2, 3])[1].vector.tolist() == ROWS[1]
    with pytest.raises(nearfield.InvalidArgument, match="4 ids"):
        reservation.commit([1, 2, 3, 4])
    del reservation
    view[:] = 5  # the view keeps the memory


def test_batches_are_split_by_size_and_flushed_at_the_end(db):
    docs = db.create_collection("wide", dimension=1024)
    rows = np.random.default_rng(1).random((5000, 1024), np.float32)
    done = docs.upsert_batches([(range(2500), rows[:2500]), (np.arange(2500, 5000), rows[2500:])])
    assert (done.upserted, done.batches, docs.count()) == (5000, 2, 5000)
    assert done.sequence > 2
    described = docs.describe()
    assert described.synced == described.sequence


def test_batches_with_much_metadata_are_halved(docs):
    large = [{"text": "x" * 900_000} for _ in range(100)]
    done = docs.upsert_batches([(None, np.ones((100, 2)), large)], progress=False)
    assert done.upserted == docs.count() == 100


def test_a_bad_batch_ends_the_rest(docs):
    batches = [([1], [[1, 2]]), ([2], [[1, float("nan")]]), ([3], [[1, 2]])]
    with pytest.raises(nearfield.InvalidArgument):
        docs.upsert_batches(batches)
    assert [point.id for point in docs.scan()] == [1]
    with pytest.raises(nearfield.InvalidType):
        docs.upsert_batches([[1, 2]])
    with pytest.raises(nearfield.InvalidArgument):
        docs.upsert_batches([([1, 2], [[1, 2]])])


def test_progress_is_shown_on_demand(docs, capsys):
    docs.upsert_batches([([1], [[1, 2]])], progress=True)
    assert "vectors" in capsys.readouterr().err
