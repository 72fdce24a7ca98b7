"""A collection's schema and state, as ``Collection.describe`` tells them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar


@dataclass(frozen=True)
class Calibration:
    """What a recall is translated to, measured on points that were held out."""

    limit: int
    recall: float
    probes: int
    epsilon: float
    measured: float


@dataclass(frozen=True)
class IndexDescription:
    """The state of a collection's index."""

    epoch: int
    lists: int
    trained_rows: int
    rows: int
    dead_rows: int
    older_epoch_rows: int
    segments: int
    bytes: int
    settled: bool
    calibration: tuple[Calibration, ...]
    fault: str | None = None


@dataclass(frozen=True)
class FieldDescription:
    """An indexed metadata field; ``distinct`` is None above what is kept as bitmaps."""

    field: str
    rows: int
    distinct: int | None


@dataclass(frozen=True)
class Description:
    """A collection's schema and state."""

    collection: str
    dimension: int
    metric: str
    storage: str
    unindexed_fields: tuple[str, ...]
    count: int
    unindexed: int
    unencoded: int
    sequence: int
    synced: int
    log_files: int
    log_bytes: int
    dead_rows: int
    memory_bytes: int
    write_delay_us: int
    fields: tuple[FieldDescription, ...]
    index: IndexDescription | None = None
    damage: str | None = None


T = TypeVar("T")


def _of(kind: type[T], members: dict[str, Any]) -> T:
    """Takes what this version knows: a newer server may tell more."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in members.items() if name in known})


def read(members: dict[str, Any]) -> Description:
    """Makes a description of the members that the engine tells."""
    index = members.get("index")
    if index is not None:
        calibration = tuple(_of(Calibration, each) for each in index["calibration"])
        index = _of(IndexDescription, {**index, "calibration": calibration})
    return _of(
        Description,
        {
            **members,
            "index": index,
            "unindexed_fields": tuple(members["unindexed_fields"]),
            "fields": tuple(_of(FieldDescription, each) for each in members["fields"]),
        },
    )
