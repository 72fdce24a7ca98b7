"""Every verb of the package over a store in memory, and what it refuses."""

from std.testing import assert_equal, assert_raises, assert_true

import nearfield
from nearfield import Id


def writes_and_reads(docs: nearfield.Collection) raises:
    var ids: List[UInt64] = [1, 2]
    docs.upsert(ids, [1.0, 0.0, 0.0, 1.0], nearfield.OS)
    docs.upsert_one(3, [3.0, 4.0], nearfield.OS)
    var mixed: List[Id] = [Id("a-7"), Id(9)]
    docs.upsert_points(mixed, [0.0, 0.0, 6.0, 8.0], ['{"year": 1961}', ""], nearfield.OS)
    assert_equal(docs.count(), 5)
    assert_equal(docs.count("year > 1960"), 1)
    var wanted: List[Id] = [Id("a-7"), Id("nobody"), Id(9)]
    var got = docs.get(wanted)
    assert_equal(got[0].value().metadata, '{"year": 1961}')
    assert_equal(got[0].value().id, Id("a-7"))
    assert_true(not got[1])
    assert_equal(got[2].value().vector[1], 8.0)
    var page = docs.scan(limit=3)
    assert_equal(len(page.points), 3)
    assert_equal(len(docs.scan(limit=3, cursor=page.next).points), 2)


def searches(docs: nearfield.Collection) raises:
    var hits = docs.search([0.1, 0.0], limit=2, recall=1.0, with_metadata=True)
    assert_equal(hits[0].id, Id("a-7"))
    assert_equal(hits[0].metadata, '{"year": 1961}')
    assert_equal(hits[1].id, Id(1))
    var many = docs.search_many([3.0, 4.0, 6.0, 8.0], 2, limit=1)
    assert_equal(many[0][0].id, Id(3))
    assert_equal(many[1][0].score, 0.0)
    var matching = docs.search([0.0, 0.0], filter="exists year", with_vectors=True)
    assert_equal(len(matching), 1)
    assert_equal(matching[0].vector[0], 0.0)
    var ids = List[UInt64](length=2, fill=0)
    var scores = List[Float32](length=2, fill=0)
    docs.search_into([3.0, 4.0, 6.0, 8.0], 2, 1, ids, scores)
    assert_equal(ids[1], 9)


def changes(docs: nearfield.Collection) raises:
    var some: List[Id] = [Id(1), Id("nobody")]
    assert_equal(docs.update_metadata(some, '{"genre": "folk"}'), 1)
    assert_equal(docs.delete_matching("genre = 'folk'"), 1)
    var one: List[Id] = [Id("a-7")]
    assert_equal(docs.delete(one), 1)
    docs.flush()
    docs.compact()
    var state = docs.describe()
    assert_equal(state.count, 3)
    assert_equal(state.dimension, 2)
    assert_equal(state.metric, nearfield.EUCLIDEAN)


def refuses(db: nearfield.Database, docs: nearfield.Collection) raises:
    with assert_raises(contains="already_exists"):
        _ = db.create_collection("docs", 2)
    with assert_raises(contains="not_found"):
        _ = db.collection("nobody")
    with assert_raises(contains="invalid_argument: vectors"):
        docs.upsert_one(1, [1.0, 2.0, 3.0])
    with assert_raises(contains="invalid_argument: vectors"):
        docs.upsert([UInt64(1), UInt64(2)], [1.0, 2.0, 3.0])
    with assert_raises(contains="invalid_argument: filter"):
        _ = docs.count("year >")
    with assert_raises(contains="row 1"):
        var zero: Float32 = 0.0
        docs.upsert([UInt64(1), UInt64(2)], [Float32(1.0), 2.0, zero / zero, 1.0])


def main() raises:
    var db = nearfield.connect(":memory:")
    var docs = db.create_collection("docs", 2, nearfield.EUCLIDEAN)
    writes_and_reads(docs)
    searches(docs)
    changes(docs)
    refuses(db, docs)
    assert_equal(db.call('{"list_collections": {}}'), '{"list_collections":{"collections":["docs"]}}')
    db.drop_collection("docs")
    with assert_raises(contains="not_found"):
        _ = docs.count()
    print("all verbs hold")
