"""sqlite-vec: a virtual table of SQLite, searched by comparing every row."""

import os
import sqlite3
import threading

import sqlite_vec

from adapters.base import Peer
from settings import FIELDS, LIMIT

HITS_MAX = 4_096  # its limit


class Adapter(Peer):
    durability = {
        "sync": "commit in WAL mode, synchronous = full",
        "os": "commit in WAL mode, synchronous = normal",
    }

    def connect(self):
        connection = sqlite3.connect(self.path, isolation_level=None)
        if not hasattr(connection, "enable_load_extension"):
            raise RuntimeError("this Python's sqlite3 cannot load extensions")
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.execute("pragma mmap_size = 17179869184")
        return connection

    def create(self, fields, durability):
        self.path = os.path.join(self.folder, "points.db")
        self.bits = self.parameters["kind"] == "bit"
        self.distance = "vec_distance_l2" if self.metric == "euclidean" else "vec_distance_cosine"
        self.local = threading.local()
        self.local.connection = connection = self.connect()
        connection.execute("pragma journal_mode = wal")
        connection.execute(f"pragma synchronous = {'full' if durability == 'sync' else 'normal'}")
        metric = "l2" if self.metric == "euclidean" else "cosine"
        columns = {
            "id": ("integer primary key", "?1"),
            "vector": (f"float[{self.dimension}] distance_metric={metric}", "?2"),
        }
        if self.bits:
            columns["code"] = (f"bit[{self.dimension}]", "vec_quantize_binary(?2)")
        if fields:
            columns |= {name: ("integer", f"?{place}") for place, name in enumerate(FIELDS, 3)}
        kinds = ", ".join(f"{name} {kind}" for name, (kind, _) in columns.items())
        values = ", ".join(value for _, value in columns.values())
        connection.execute(f"create virtual table points using vec0({kinds})")
        self.insert = f"insert into points ({', '.join(columns)}) values ({values})"

    def prepare(self, first, vectors, fields):
        rows = ((first + place, vector.tobytes()) for place, vector in enumerate(vectors))
        if fields is None:
            return list(rows)
        return [row + values for row, values in zip(rows, zip(*fields.values()))]

    def add(self, batch):
        connection = self.local.connection
        connection.execute("begin")
        connection.executemany(self.insert, batch)
        connection.execute("commit")

    def finish(self):
        self.local.connection.execute("pragma wal_checkpoint(truncate)")

    def matching(self, name, rows):
        return f" and {name} = 0"

    def calls(self, queries, setting, matching):
        matching = matching or ""
        if self.bits:
            hits = min(LIMIT * setting["oversampling"], HITS_MAX)
            text = (
                "with near as (select id, vector from points where code match vec_quantize_binary(?1) "
                f"and k = {hits}{matching}) select id from near order by {self.distance}(vector, ?1) limit {LIMIT}"
            )
        else:
            text = f"select id from points where vector match ?1 and k = {LIMIT}{matching}"
        return [((text, query.tobytes()), 1) for query in queries]

    def search(self, call):
        if not hasattr(self.local, "connection"):
            self.local.connection = self.connect()
        return self.local.connection.execute(call[0], (call[1],)).fetchall()

    def ids(self, result):
        return [[row for (row,) in result]]

