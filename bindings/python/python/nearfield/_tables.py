"""Hits as tables of other libraries, which are imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._nearfield import Hit, Hits, ManyHits

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

#: What is no member of the metadata.
OWN = ("query", "id", "score", "vector")


def columns(hits: Hits | ManyHits) -> dict[str, list[Any]]:
    """The columns of a table: the hit's own, and one per member of the metadata."""
    rows: list[tuple[int, Hit]] = []
    if isinstance(hits, ManyHits):
        rows = [(query, hit) for query, found in enumerate(hits) for hit in found]
    else:
        rows = [(0, hit) for hit in hits]
    table: dict[str, list[Any]] = {}
    if isinstance(hits, ManyHits):
        table["query"] = [query for query, _ in rows]
    ids = [hit.id for _, hit in rows]
    if len({type(each) for each in ids}) > 1:
        ids = [str(each) for each in ids]
    table["id"] = ids
    table["score"] = [hit.score for _, hit in rows]
    for row, (_, hit) in enumerate(rows):
        for name, value in (hit.metadata or {}).items():
            column = f"metadata.{name}" if name in OWN else name
            table.setdefault(column, [None] * len(rows))[row] = value
    if any(hit.vector is not None for _, hit in rows):
        table["vector"] = [hit.vector for _, hit in rows]
    return table


def to_arrow(hits: Hits | ManyHits) -> pyarrow.Table:
    """A table of pyarrow. Columns of mixed types are texts."""
    import pyarrow

    return pyarrow.table({name: _arrow_column(values) for name, values in columns(hits).items()})


def _arrow_column(values: list[Any]) -> Any:
    import pyarrow

    try:
        return pyarrow.array(values)
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):
        return pyarrow.array([None if value is None else str(value) for value in values])


def to_pandas(hits: Hits | ManyHits) -> pandas.DataFrame:
    """A data frame of pandas."""
    import pandas

    return pandas.DataFrame(columns(hits))


def to_polars(hits: Hits | ManyHits) -> polars.DataFrame:
    """A data frame of polars. Columns of mixed types are what polars makes of them."""
    import polars

    return polars.DataFrame(columns(hits), strict=False)
