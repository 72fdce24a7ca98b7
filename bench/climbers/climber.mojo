"""Climbs Mojo's door for `nearfield ladder`: writes or searches as its `name=value` arguments say,
and prints what it took as JSON. Built on the spot with bindings/mojo."""

from std.ffi import external_call
from std.sys import argv
from std.time import perf_counter_ns

import nearfield

comptime WARM_REQUESTS = 50
comptime WARM_VECTORS = 10_000
comptime WARM_NS = 100_000_000


def text(name: String) raises -> String:
    """The argument of this name."""
    for argument in argv():
        var given = String(argument)
        if given.startswith(name + "="):
            return String(given[byte = name.byte_length() + 1 :])
    raise Error("the argument " + name + " is missing")


def number(name: String) raises -> Int:
    return Int(text(name))


def read(name: String, rows: Int, dim: Int) raises -> List[Float32]:
    """The vectors of a file, in memory before the clock starts."""
    var file = open(text(name), "r")
    var bytes = file.read_bytes(rows * dim * 4)
    file.close()
    var values = List[Float32](length=rows * dim, fill=0)
    var from_bytes = bytes.unsafe_ptr().unsafe_bitcast[Float32]()
    for at in range(rows * dim):
        values[at] = from_bytes[unsafe_offset=at]
    _ = bytes^
    return values^


struct Run(Movable):
    """What a loop took."""

    var times: List[UInt64]
    var count: Int
    var inside: UInt64
    var wall: UInt64
    var last: UInt64
    var cpu: Int

    def __init__(out self, requests: Int):
        self.times = List[UInt64](capacity=requests)
        self.count = 0
        self.inside = 0
        self.wall = 0
        self.cpu = external_call["clock", Int]()
        self.last = UInt64(perf_counter_ns())

    def lap(mut self, before: UInt64, count: Int):
        var end = UInt64(perf_counter_ns())
        self.inside += end - before
        self.times.append(end - self.last)
        self.wall += end - self.last
        self.count += count
        self.last = end

    def end(mut self):
        self.cpu = external_call["clock", Int]() - self.cpu


def ingest(db: nearfield.Database) raises -> Run:
    var rows = number("rows")
    var dim = number("dim")
    var batch = number("batch")
    var limit = UInt64(Float64(text("seconds")) * 1e9)
    var durability = nearfield.OS if text("durability") == "os" else nearfield.SYNC
    var values = read("values", rows, dim)
    var ids = List[UInt64](capacity=rows)
    for row in range(rows):
        ids.append(UInt64(row))
    var warm = db.create_collection(text("warm"), dim, nearfield.EUCLIDEAN)
    var collection = db.create_collection(text("collection"), dim, nearfield.EUCLIDEAN)
    var row = 0
    var requests = 0
    while row < rows and row < WARM_VECTORS and requests < WARM_REQUESTS:
        var last = min(row + batch, rows)
        warm.upsert(Span(ids)[row:last], Span(values)[row * dim : last * dim], durability)
        row = last
        requests += 1
    var run = Run(rows // batch + 1)
    while run.count < rows and run.wall < limit:
        var first = run.count
        var last = min(first + batch, rows)
        var before = UInt64(perf_counter_ns())
        collection.upsert(Span(ids)[first:last], Span(values)[first * dim : last * dim], durability)
        run.lap(before, last - first)
    run.end()
    return run^


def search(db: nearfield.Database, mut found: String) raises -> Run:
    var rows = number("query_rows")
    var dim = number("dim")
    var batch = min(number("batch"), rows)
    var hits = number("limit")
    var limit = UInt64(Float64(text("seconds")) * 1e9)
    var queries = read("queries", rows, dim)
    var collection = db.create_collection(
        text("collection"), dim, nearfield.EUCLIDEAN
    ) if text("create") == "yes" else db.collection(text("collection"))
    for query in range(number("exact")):
        var vector = Span(queries)[query * dim : (query + 1) * dim]
        var nearest = collection.search(vector, limit=hits, recall=1.0)
        found += "[" if query == 0 else ", ["
        for at in range(len(nearest)):
            found += String(nearest[at].id) if at == 0 else ", " + String(nearest[at].id)
        found += "]"
    var ids = List[UInt64](length=batch * hits, fill=0)
    var scores = List[Float32](length=batch * hits, fill=0)
    var starts = rows // batch
    var at = 0
    var begun = perf_counter_ns()
    while perf_counter_ns() - begun < WARM_NS:
        var first = at % starts * batch * dim
        collection.search_into(Span(queries)[first : first + batch * dim], dim, hits, ids, scores)
        at += 1
    at = 0
    var run = Run(1 << 16)
    while run.wall < limit:
        var first = at % starts * batch * dim
        var before = UInt64(perf_counter_ns())
        collection.search_into(Span(queries)[first : first + batch * dim], dim, hits, ids, scores)
        run.lap(before, batch)
        at += 1
    run.end()
    return run^


def climb(mut found: String) raises -> Run:
    """Opens the store, and closes it at the end."""
    var db = nearfield.connect(text("target"))
    if text("op") == "ingest":
        return ingest(db)
    return search(db, found)


def main() raises:
    var found = String("")
    var run = climb(found)
    var file = open(text("times"), "w")
    var bytes = run.times.unsafe_ptr().unsafe_bitcast[UInt8]()
    file.write_bytes(Span[UInt8, _](unsafe_ptr=bytes, length=len(run.times) * 8))
    file.close()
    print(
        '{"count": ' + String(run.count)
        + ', "seconds": ' + String(Float64(run.wall) / 1e9)
        + ', "call_seconds": ' + String(Float64(run.inside) / 1e9)
        + ', "cpu_seconds": ' + String(Float64(run.cpu) / 1e6)
        + ', "found": [' + found + "]}"
    )
