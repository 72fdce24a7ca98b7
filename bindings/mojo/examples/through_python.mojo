"""The other way from Mojo to Nearfield: the Python package, through Mojo's interoperability. It
needs Python with `nearfield` and `numpy`. What it costs beside the C door is measured here, with
batches of 1,000 vectors of 128 components that are not kept."""

from std.python import Python, PythonObject
from std.time import perf_counter_ns

import nearfield

comptime ROWS = 1000
comptime DIMENSION = 128
comptime BATCHES = 100


def by_python() raises -> Float64:
    var package = Python.import_module("nearfield")
    var numpy = Python.import_module("numpy")
    var db = package.connect(":memory:")
    var docs = db.create_collection("docs", dimension=DIMENSION, metric="euclidean")
    var vectors = numpy.random.default_rng(1).random(
        Python.tuple(ROWS, DIMENSION), dtype=numpy.float32
    )
    var start = perf_counter_ns()
    for batch in range(BATCHES):
        var ids = numpy.arange(batch * ROWS, (batch + 1) * ROWS, dtype=numpy.uint64)
        docs.upsert(ids, vectors, durability="os")
    return rate(start)


def by_c() raises -> Float64:
    var db = nearfield.connect(":memory:")
    var docs = db.create_collection("docs", DIMENSION, nearfield.EUCLIDEAN)
    var vectors = List[Float32](capacity=ROWS * DIMENSION)
    for position in range(ROWS * DIMENSION):
        vectors.append(Float32((position * 7919) % 1009) / 1009)
    var ids = List[UInt64](length=ROWS, fill=0)
    var start = perf_counter_ns()
    for batch in range(BATCHES):
        for row in range(ROWS):
            ids[row] = UInt64(batch * ROWS + row)
        docs.upsert(ids, vectors, nearfield.OS)
    return rate(start)


def rate(start: Int) -> Float64:
    return Float64(ROWS * BATCHES) / (Float64(perf_counter_ns() - start) * 1e-9)


def main() raises:
    print("through C:", by_c(), "vectors/s")
    print("through Python:", by_python(), "vectors/s")
