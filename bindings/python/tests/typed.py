"""A program that uses the package with types; mypy reads it, and nobody runs it."""

from __future__ import annotations

import numpy as np
from typing_extensions import assert_type

import nearfield


def program(rows: list[list[float]], array: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    """All calls, with what they take and give."""
    with nearfield.connect("./data", timeout=5) as db:
        docs = db.create_collection("docs", dimension=2, metric="dot", exist_ok=True)
        assert_type(docs.upsert([1, "a"], rows, [{"n": 1}, None]), nearfield.Upserted)
        docs.upsert(np.arange(2), array, {"n": [1, 2]}, durability="os")
        assert_type(docs.get("a"), nearfield.Point | None)
        assert_type(docs.get([1, 2]), list[nearfield.Point | None])
        assert_type(docs.search([1.0, 2.0]), nearfield.Hits)
        assert_type(docs.search(rows, filter={"field": "n", "eq": 1}), nearfield.ManyHits)
        assert_type(docs.search([1.0])[0].score, float)
        assert_type(docs.count(filter="n = 1"), int)
        assert_type([point.id for point in docs.scan()], list[int | str])
        reservation = docs.reserve(10)
        reservation.vectors[:2] = rows
        assert_type(reservation.commit([1, 2]), nearfield.Upserted)
        assert_type(docs.describe().metric, str)
        docs.upsert([1], rows, durability="never")  # type: ignore[arg-type]
