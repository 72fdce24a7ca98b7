"""Every misuse has its exception, which says what to do; and changes nothing."""

import pickle
import threading
import uuid

import numpy as np
import pytest

import nearfield


@pytest.fixture
def refuses(docs):
    """Checks that a call is refused, and that the collection is as it was."""

    def refuses(kind, call, *said, row=None, field=None):
        before = (docs.count(), docs.describe().sequence)
        with pytest.raises(kind) as refused:
            call()
        for words in said:
            assert words in str(refused.value)
        if row is not None:
            assert refused.value.row == row
        if field is not None:
            assert refused.value.field == field
        assert (docs.count(), docs.describe().sequence) == before

    return refuses


@pytest.mark.parametrize(
    ("vectors", "words"),
    [
        (np.array([["a", "b"]]), "<U1"),
        (np.array([[1 + 2j, 3]]), "complex128"),
        (np.array([[object(), object()]]), "object"),
        (np.array([[True, False]]), "bool"),
        (np.array([["2024-01-01", "2024-01-02"]], dtype="datetime64[D]"), "datetime64"),
        ("ab", "str"),
        (object(), "object"),
        ({"a": 1}, "dict"),
        (3.5, "float"),
        ([["a", "b"]], "str"),
        ([[1, None]], "NoneType"),
    ],
    ids=str,
)
def test_what_holds_no_numbers_is_refused_by_its_type(docs, refuses, vectors, words):
    refuses(nearfield.InvalidType, lambda: docs.upsert([1], vectors), words, field="vectors")
    refuses(TypeError, lambda: docs.upsert([1], vectors))


@pytest.mark.parametrize(
    "vectors",
    [
        np.zeros((1, 3), np.float32),
        np.zeros((1, 1, 2), np.float32),
        np.zeros((2, 2), np.float32),
        np.float32(1),
        np.zeros((0, 2), np.float32),
        np.zeros((1, 0), np.float32),
        [[1, 2, 3]],
        [[]],
        [],
        [[1, 2], [1]],
        [[[1, 2]]],
        [np.zeros(2), np.zeros(3)],
        [np.zeros((1, 2), np.float32)],
    ],
    ids=lambda vectors: str(getattr(vectors, "shape", vectors)),
)
def test_vectors_of_another_shape_are_refused(docs, refuses, vectors):
    refuses(nearfield.InvalidArgument, lambda: docs.upsert([1], vectors), field="vectors")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf"), 1e39])
@pytest.mark.parametrize("form", [np.float32, np.float64, list])
def test_components_that_are_not_finite_are_refused_with_their_row(docs, refuses, bad, form):
    rows = [[0.0, 1.0], [2.0, bad]]
    with np.errstate(over="ignore"):
        vectors = rows if form is list else np.array(rows).astype(form)
    refuses(nearfield.InvalidArgument, lambda: docs.upsert([1, 2], vectors), row=1, field="vectors")


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([-1], nearfield.InvalidArgument),
        ([2**64], nearfield.InvalidArgument),
        (-1, nearfield.InvalidArgument),
        ([""], nearfield.InvalidArgument),
        ([1.5], nearfield.InvalidType),
        ([None], nearfield.InvalidType),
        ([True], nearfield.InvalidType),
        ([b"a"], nearfield.InvalidType),
        (["x" * 513], nearfield.TooLarge),
        (np.array([-1]), nearfield.InvalidArgument),
        (np.array([[1]]), nearfield.InvalidArgument),
        (np.array([1.5]), nearfield.InvalidType),
        (b"a", nearfield.InvalidType),
        (1.5, nearfield.InvalidType),
        ([], nearfield.InvalidArgument),
        ([1, 2], nearfield.InvalidArgument),
    ],
    ids=str,
)
def test_what_is_no_id_is_refused(docs, refuses, ids, kind):
    refuses(kind, lambda: docs.upsert(ids, [[1, 2]]))


@pytest.mark.parametrize(
    ("metadata", "kind"),
    [
        ([1], nearfield.InvalidType),
        (["{}"], nearfield.InvalidType),
        ([{1: 2}], nearfield.InvalidType),
        ([{"a": {1, 2}}], nearfield.InvalidType),
        ([{"a": float("nan")}], nearfield.InvalidArgument),
        ([{"a": "\ud800"}], nearfield.InvalidArgument),
        ([{}, {}], nearfield.InvalidArgument),
        ({"a": [1, 2], "b": [1]}, nearfield.InvalidArgument),
        ({"a": 1}, nearfield.InvalidType),
        ("{}", nearfield.InvalidType),
        (5, nearfield.InvalidType),
    ],
    ids=str,
)
def test_what_is_no_metadata_is_refused(docs, refuses, metadata, kind):
    refuses(kind, lambda: docs.upsert([1], [[1, 2]], metadata), field="metadata")


def test_metadata_that_holds_itself_is_refused(docs, refuses):
    round_and_round = {}
    round_and_round["a"] = round_and_round
    refuses(nearfield.InvalidArgument, lambda: docs.upsert([1], [[1, 2]], [round_and_round]))


def test_arguments_are_checked_where_they_are_read(docs, refuses):
    docs.upsert([1], [[1, 2]])
    for call, field in [
        (lambda: docs.search([1, 2], limit=0), "limit"),
        (lambda: docs.search([1, 2], limit=-1), "limit"),
        (lambda: docs.search([1, 2], limit="ten"), "limit"),
        (lambda: docs.search([1, 2], recall=2), "recall"),
        (lambda: docs.search([1, 2], filter="year >"), "filter"),
        (lambda: docs.search([1, 2], filter=3), "filter"),
        (lambda: docs.search([1, 2, 3]), "vectors"),
        (lambda: docs.upsert([1], [[1, 2]], durability="never"), "durability"),
        (lambda: docs.upsert([1]), "vectors"),
        (lambda: docs.delete(), "ids"),
        (lambda: docs.delete([1], filter="a = 1"), "ids"),
        (lambda: docs.update_metadata([1]), "patch"),
        (lambda: docs.reserve(-1), "rows"),
        (lambda: docs.database.create_collection("x", dimension=0), "dimension"),
        (lambda: docs.database.create_collection("x", dimension=2, metric="l2"), "metric"),
        (lambda: docs.database.create_collection("x", dimension=2, storage="f8"), "storage"),
        (lambda: docs.database.create_collection("a b", dimension=2), "collection"),
    ]:
        refuses(nearfield.InvalidArgument, call, field=field)


def test_too_much_is_too_large(docs, refuses):
    refuses(nearfield.TooLarge, lambda: docs.reserve(2**30))
    rows = np.zeros((9 << 20, 2), np.float32)
    refuses(nearfield.TooLarge, lambda: docs.upsert(range(len(rows)), rows))


def test_names_are_found_or_taken(db, docs):
    with pytest.raises(nearfield.NotFound):
        db["nobody"]
    with pytest.raises(LookupError):
        del db["nobody"]
    with pytest.raises(nearfield.AlreadyExists):
        db.create_collection("docs", dimension=2)
    db.drop_collection("docs")
    with pytest.raises(nearfield.NotFound):
        docs.count()


def test_a_closed_store_says_so_at_every_call():
    db = nearfield.connect(":memory:")
    docs = db.create_collection("docs", dimension=2)
    reservation = docs.reserve(1)
    scan = docs.scan()
    with db:
        assert not db.closed
    assert db.closed and "closed" in repr(db)
    db.close()
    for call in [
        db.collections,
        lambda: db["docs"],
        docs.count,
        docs.flush,
        docs.describe,
        lambda: docs.upsert([1], [[1, 2]]),
        lambda: docs.search([1, 2]),
        lambda: docs.get([1]),
        lambda: docs.delete([1]),
        lambda: docs.reserve(1),
        lambda: reservation.commit([1]),
        lambda: next(scan),
    ]:
        with pytest.raises(nearfield.InvalidArgument, match="closed"):
            call()
    reservation.vectors[:] = 1  # the memory is still there


def test_targets_that_are_none_are_refused(tmp_path):
    for target, kind in [
        ("", nearfield.InvalidArgument),
        ("ftp://host", nearfield.InvalidArgument),
        (5, TypeError),
        ("http://127.0.0.1:1", nearfield.Unavailable),
        ("grpc://127.0.0.1:1", nearfield.Unavailable),
    ]:
        with pytest.raises(kind):
            nearfield.connect(target, retry_timeout=0)
    with pytest.raises(nearfield.NotFound):
        nearfield.connect(tmp_path / "nothing", create=False)
    (tmp_path / "file").write_text("no store")
    with pytest.raises(OSError):
        nearfield.connect(tmp_path / "file")
    with pytest.raises(nearfield.InvalidArgument, match="timeout"):
        nearfield.connect(":memory:", timeout=-1)


def test_exceptions_go_through_pickle():
    error = nearfield.InvalidArgument("it is wrong", 3, "vectors")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), "vectors, row 3: it is wrong")
    assert isinstance(nearfield.DeadlineExceeded("late"), TimeoutError)
    kinds = (nearfield.Error, nearfield.NotFound, nearfield.InvalidType)
    assert {kind.__module__ for kind in kinds} == {"nearfield"}
    assert {kind.kind for kind in nearfield.Error.__subclasses__()} >= {"locked", "storage"}


def test_an_array_that_changes_during_a_call_leaves_the_store_valid(tmp_path):
    dimension, rows = 64, 4000
    ids = np.arange(rows, dtype=np.uint64)
    vectors = np.ones((rows, dimension), np.float32)
    stop = threading.Event()

    def change():
        while not stop.is_set():
            vectors[:] = np.nan
            vectors[:] = 2.0
            vectors[:] = 1.0

    changing = threading.Thread(target=change)
    with nearfield.connect(tmp_path / "store") as db:
        docs = db.create_collection("docs", dimension=dimension, metric="euclidean")
        reservation = docs.reserve(rows)
        changing.start()
        try:
            for _ in range(60):
                for write in (
                    lambda: docs.upsert(ids, vectors, durability="os"),
                    lambda: reservation.commit(ids, durability="os"),
                ):
                    reservation.vectors[:] = vectors
                    try:
                        write()
                    except nearfield.InvalidArgument as error:
                        assert error.field == "vectors"
        finally:
            stop.set()
            changing.join()
        assert len(docs.search(np.ones(dimension, np.float32), recall=1.0)) <= 10
    with nearfield.connect(tmp_path / "store") as db:
        stored = [point.vector for point in db["docs"].scan(with_vectors=True)]
        assert all(np.isin(vector, (1.0, 2.0)).all() for vector in stored)


def test_a_list_that_changes_while_it_is_read_hurts_nobody(docs):
    class Shrinks(float):
        def __float__(self):
            row.clear()
            return 1.0

    row = [1.0, 2.0]
    row[0] = Shrinks(1)
    rows = [row]
    try:
        docs.upsert([1], rows)
    except (nearfield.Error, IndexError):
        pass
    assert docs.count() <= 1


def test_ids_keep_their_kind(docs):
    given = [7, "seven", str(uuid.uuid4()), uuid.uuid4(), 2**64 - 1, np.uint8(3), "Ü"]
    docs.upsert(given, np.ones((7, 2)))
    back = [point.id for point in docs.get(given)]
    assert back == [7, "seven", given[2], str(given[3]), 2**64 - 1, 3, "Ü"]
    assert docs.get("seven").id == "seven"
