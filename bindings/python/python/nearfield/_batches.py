"""Upserts of more than one call takes: batch by batch, split where they are large."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ._arrays import as_f32, as_ids, as_rows
from ._errors import InvalidType, TooLarge
from ._nearfield import Collection

#: Bytes of vectors per upsert, about: large enough that calls cost nothing, and far below what
#: one may have.
PART_BYTES = 4 << 20
#: Rows per upsert, at most.
PART_ROWS = 65_536


class BatchesUpserted(NamedTuple):
    """All batches are written. ``sequence`` is the number of the last write."""

    upserted: int
    batches: int
    sequence: int


def upsert_batches(
    collection: Collection, batches: Iterable[Any], durability: str, progress: bool | None
) -> BatchesUpserted:
    """Writes each batch; with ``sync``, the disk is waited for at the end."""
    upserted, count, sequence = 0, 0, 0
    bar = _bar(progress)
    try:
        for batch in batches:
            for ids, vectors, metadata in _parts(*_columns(batch)):
                for written, sequence in _upsert(collection, ids, vectors, metadata):
                    upserted += written
                    if bar is not None:
                        bar.update(written)
            count += 1
    finally:
        if bar is not None:
            bar.close()
    if durability == "sync" and count:
        collection.flush()
    return BatchesUpserted(upserted, count, sequence)


def _columns(batch: Any) -> tuple[Any, Any, Any]:
    """Ids, vectors and metadata of a batch, as columns that can be cut."""
    if not isinstance(batch, tuple) or not 2 <= len(batch) <= 3:
        raise InvalidType(
            "a batch is a tuple of ids (or None), vectors and, if any, metadata", field="batches"
        )
    ids, vectors, metadata = batch if len(batch) == 3 else (*batch, None)
    if not isinstance(vectors, list) and not (
        isinstance(vectors, np.ndarray) and vectors.dtype == np.float32
    ):
        vectors = as_f32(vectors)
    if ids is not None and not isinstance(ids, (list, np.ndarray)):
        ids = as_ids(ids)
    if metadata is not None and not isinstance(metadata, list):
        metadata = as_rows(metadata)
    return ids, vectors, metadata


def _parts(ids: Any, vectors: Any, metadata: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Parts of a batch. Columns of different lengths stay together, to be refused."""
    rows = len(vectors)
    lengths = {len(column) for column in (ids, metadata) if column is not None}
    dimension = len(vectors[0]) if rows and hasattr(vectors[0], "__len__") else 0
    step = max(1, min(PART_ROWS, PART_BYTES // (4 * max(1, dimension))))
    if rows <= step or lengths - {rows} or not dimension:
        yield ids, vectors, metadata
        return
    for at in range(0, rows, step):
        part = slice(at, at + step)
        yield (
            None if ids is None else ids[part],
            vectors[part],
            None if metadata is None else metadata[part],
        )


def _upsert(
    collection: Collection, ids: Any, vectors: Any, metadata: Any
) -> Iterator[tuple[int, int]]:
    """Writes a part; one whose metadata makes it too large, in halves."""
    try:
        done = collection.upsert(ids, vectors, metadata, durability="os")
    except TooLarge as error:
        rows = len(vectors)
        if rows < 2 or error.row is not None:
            raise
        for part in (slice(0, rows // 2), slice(rows // 2, rows)):
            yield from _upsert(
                collection,
                None if ids is None else ids[part],
                vectors[part],
                None if metadata is None else metadata[part],
            )
        return
    yield done.upserted, done.sequence


def _bar(progress: bool | None) -> Any:
    if progress is None and not sys.stderr.isatty():
        return None
    if progress is False:
        return None
    try:
        from tqdm.auto import tqdm
    except ImportError:
        if progress:
            raise
        return None
    return tqdm(unit=" vectors", unit_scale=True)
