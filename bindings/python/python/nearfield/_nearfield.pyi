"""The types of the compiled part; its docstrings are in it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, TypeAlias, final, overload

import numpy as np
import pandas
import polars
import pyarrow

from ._batches import BatchesUpserted
from ._description import Description
from ._inputs import (
    AnyId,
    Durability,
    FilterLike,
    IdsLike,
    MetadataLike,
    Metric,
    Storage,
    VectorsLike,
)

_F32: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

__version__: str

def connect(
    target: str | os.PathLike[str],
    *,
    api_key: str | None = None,
    timeout: float = 60.0,
    connect_timeout: float = 5.0,
    retry_timeout: float = 10.0,
    json: bool = False,
    ca_file: str | os.PathLike[str] | None = None,
    share: bool = True,
    create: bool = True,
    search_threads: int | None = None,
    memory_bytes_max: int | None = None,
    lean: bool = False,
) -> Database: ...
@final
class Database:
    @property
    def target(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def create_collection(
        self,
        name: str,
        *,
        dimension: int,
        metric: Metric = "cosine",
        storage: Storage = "f32",
        unindexed_fields: Sequence[str] = ...,
        exist_ok: bool = False,
    ) -> Collection: ...
    def collection(self, name: str) -> Collection: ...
    def collections(self) -> list[str]: ...
    def drop_collection(self, name: str) -> None: ...
    def close(self) -> None: ...
    def __getitem__(self, name: str, /) -> Collection: ...
    def __delitem__(self, name: str, /) -> None: ...
    def __contains__(self, name: str, /) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __enter__(self) -> Database: ...
    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class Collection:
    @property
    def name(self) -> str: ...
    @property
    def database(self) -> Database: ...
    def upsert(
        self,
        ids: IdsLike | AnyId | None = None,
        vectors: VectorsLike | None = None,
        metadata: MetadataLike | None = None,
        *,
        durability: Durability = "sync",
    ) -> Upserted: ...
    def upsert_batches(
        self,
        batches: Iterable[
            tuple[IdsLike | None, VectorsLike]
            | tuple[IdsLike | None, VectorsLike, MetadataLike | None]
        ],
        *,
        durability: Durability = "sync",
        progress: bool | None = None,
    ) -> BatchesUpserted: ...
    @overload
    def get(  # type: ignore[overload-overlap]
        self, ids: AnyId, *, with_vectors: bool = True, with_metadata: bool = True
    ) -> Point | None: ...
    @overload
    def get(
        self, ids: IdsLike, *, with_vectors: bool = True, with_metadata: bool = True
    ) -> list[Point | None]: ...
    def delete(
        self,
        ids: IdsLike | AnyId | None = None,
        *,
        filter: FilterLike | None = None,
        durability: Durability = "sync",
    ) -> Deleted: ...
    def update_metadata(
        self,
        ids: IdsLike | AnyId | None = None,
        patch: dict[str, Any] | None = None,
        *,
        filter: FilterLike | None = None,
        durability: Durability = "sync",
    ) -> MetadataUpdated: ...
    @overload
    def search(
        self,
        vectors: Sequence[float],
        limit: int = 10,
        *,
        filter: FilterLike | None = None,
        recall: float = 0.95,
        with_metadata: bool = False,
        with_vectors: bool = False,
        probes: int | None = None,
        rerank: int | None = None,
        explain: bool = False,
    ) -> Hits: ...
    @overload
    def search(
        self,
        vectors: Sequence[Sequence[float]],
        limit: int = 10,
        *,
        filter: FilterLike | None = None,
        recall: float = 0.95,
        with_metadata: bool = False,
        with_vectors: bool = False,
        probes: int | None = None,
        rerank: int | None = None,
        explain: bool = False,
    ) -> ManyHits: ...
    # Whether an array is a vector or a matrix is not in its type.
    @overload
    def search(
        self,
        vectors: VectorsLike,
        limit: int = 10,
        *,
        filter: FilterLike | None = None,
        recall: float = 0.95,
        with_metadata: bool = False,
        with_vectors: bool = False,
        probes: int | None = None,
        rerank: int | None = None,
        explain: bool = False,
    ) -> Any: ...
    def scan(
        self,
        *,
        filter: FilterLike | None = None,
        with_vectors: bool = False,
        with_metadata: bool = True,
        page_points: int = 1000,
    ) -> Scan: ...
    def scan_page(
        self,
        cursor: int | None = None,
        *,
        limit: int = 1000,
        filter: FilterLike | None = None,
        with_vectors: bool = False,
        with_metadata: bool = True,
    ) -> Page: ...
    def count(self, *, filter: FilterLike | None = None) -> int: ...
    def describe(self) -> Description: ...
    def flush(self) -> int: ...
    def compact(self) -> Compacted: ...
    def snapshot(self, destination: str | os.PathLike[str] | None = None) -> SnapshotTaken: ...
    def reserve(self, rows: int) -> Reservation: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...

@final
class Reservation:
    @property
    def vectors(self) -> _F32: ...
    def commit(
        self,
        ids: IdsLike | AnyId,
        metadata: MetadataLike | None = None,
        *,
        durability: Durability = "sync",
    ) -> Upserted: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...

@final
class Point:
    @property
    def id(self) -> int | str: ...
    @property
    def vector(self) -> _F32 | None: ...
    @property
    def metadata(self) -> dict[str, Any] | None: ...

@final
class Page:
    @property
    def points(self) -> list[Point]: ...
    @property
    def next(self) -> int | None: ...
    def __len__(self) -> int: ...

@final
class Scan:
    @property
    def cursor(self) -> int | None: ...
    def __iter__(self) -> Scan: ...
    def __next__(self) -> Point: ...

@final
class Hit:
    @property
    def id(self) -> int | str: ...
    @property
    def score(self) -> float: ...
    @property
    def metadata(self) -> dict[str, Any] | None: ...
    @property
    def vector(self) -> _F32 | None: ...

@final
class Hits(Sequence[Hit]):
    @property
    def ids(self) -> list[int | str]: ...
    @property
    def scores(self) -> _F32: ...
    @property
    def explanation(self) -> dict[str, Any] | None: ...
    def to_numpy(self) -> tuple[np.ndarray[Any, Any], _F32]: ...
    def to_arrow(self) -> pyarrow.Table: ...
    def to_pandas(self) -> pandas.DataFrame: ...
    def to_polars(self) -> polars.DataFrame: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, place: int, /) -> Hit: ...
    @overload
    def __getitem__(self, place: slice, /) -> list[Hit]: ...
    def __iter__(self) -> Iterator[Hit]: ...

@final
class ManyHits(Sequence[Hits]):
    @property
    def ids(self) -> np.ndarray[Any, Any]: ...
    @property
    def scores(self) -> _F32: ...
    @property
    def explanation(self) -> dict[str, Any] | None: ...
    def to_numpy(self) -> tuple[np.ndarray[Any, Any], _F32]: ...
    def to_arrow(self) -> pyarrow.Table: ...
    def to_pandas(self) -> pandas.DataFrame: ...
    def to_polars(self) -> polars.DataFrame: ...
    def __len__(self) -> int: ...
    @overload
    def __getitem__(self, place: int, /) -> Hits: ...
    @overload
    def __getitem__(self, place: slice, /) -> list[Hits]: ...
    def __iter__(self) -> Iterator[Hits]: ...

@final
class Upserted:
    @property
    def ids(self) -> Any: ...
    @property
    def upserted(self) -> int: ...
    @property
    def sequence(self) -> int: ...

@final
class Deleted:
    @property
    def deleted(self) -> int: ...
    @property
    def sequence(self) -> int: ...

@final
class MetadataUpdated:
    @property
    def updated(self) -> int: ...
    @property
    def sequence(self) -> int: ...

@final
class Compacted:
    @property
    def files(self) -> int: ...
    @property
    def bytes_before(self) -> int: ...
    @property
    def bytes_after(self) -> int: ...

@final
class SnapshotTaken:
    @property
    def path(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def count(self) -> int: ...
    @property
    def bytes(self) -> int: ...
