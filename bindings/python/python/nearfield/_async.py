"""The asyncio twin: the same calls, each made by a thread of a pool while the loop goes on."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

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
from ._nearfield import (
    Collection,
    Compacted,
    Database,
    Deleted,
    Hits,
    ManyHits,
    MetadataUpdated,
    Point,
    Reservation,
    SnapshotTaken,
    Upserted,
    connect,
)

P = ParamSpec("P")
T = TypeVar("T")


class _Threads:
    """Threads that wait in calls. A call that is given up by its task still runs to its end."""

    def __init__(self, count: int | None) -> None:
        # Calls to the engine use the CPU, and calls to a server wait: a few more than cores.
        count = count or min(32, (os.cpu_count() or 1) + 4)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="nearfield")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(call, *args, **kwargs))

    def end(self) -> None:
        self._pool.shutdown(wait=False)


async def connect_async(
    target: str | os.PathLike[str], *, threads: int | None = None, **options: Any
) -> AsyncDatabase:
    """Opens a store for asyncio: takes what ``connect`` takes, and how many ``threads`` may be in
    calls at once.

    >>> import asyncio, nearfield
    >>> async def main():
    ...     async with await nearfield.connect_async(":memory:") as db:
    ...         docs = await db.create_collection("docs", dimension=2)
    ...         await docs.upsert([1, 2], [[1, 0], [0, 1]])
    ...         return await docs.search([1, 0], limit=1)
    >>> asyncio.run(main())
    [Hit(id=1, score=1.0)]
    """
    pool = _Threads(threads)
    try:
        return AsyncDatabase(await pool.run(connect, target, **options), pool)
    except BaseException:
        pool.end()
        raise


class AsyncDatabase:
    """An open store, for asyncio; see ``Database``."""

    def __init__(self, database: Database, threads: _Threads) -> None:
        self._database = database
        self._threads = threads

    @property
    def target(self) -> str:
        """What was connected to."""
        return self._database.target

    @property
    def closed(self) -> bool:
        """Whether the store was closed."""
        return self._database.closed

    async def create_collection(
        self,
        name: str,
        *,
        dimension: int,
        metric: Metric = "cosine",
        storage: Storage = "f32",
        unindexed_fields: list[str] | None = None,
        exist_ok: bool = False,
    ) -> AsyncCollection:
        """See ``Database.create_collection``."""
        made = await self._threads.run(
            self._database.create_collection,
            name,
            dimension=dimension,
            metric=metric,
            storage=storage,
            unindexed_fields=unindexed_fields or [],
            exist_ok=exist_ok,
        )
        return AsyncCollection(made, self._threads)

    async def collection(self, name: str) -> AsyncCollection:
        """See ``Database.collection``."""
        opened = await self._threads.run(self._database.collection, name)
        return AsyncCollection(opened, self._threads)

    async def collections(self) -> list[str]:
        """See ``Database.collections``."""
        return await self._threads.run(self._database.collections)

    async def drop_collection(self, name: str) -> None:
        """See ``Database.drop_collection``."""
        await self._threads.run(self._database.drop_collection, name)

    async def close(self) -> None:
        """See ``Database.close``."""
        await self._threads.run(self._database.close)
        self._threads.end()

    async def __aenter__(self) -> AsyncDatabase:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Async{self._database!r}"


class AsyncCollection:
    """A collection of an open store, for asyncio; see ``Collection``."""

    def __init__(self, collection: Collection, threads: _Threads) -> None:
        self._collection = collection
        self._threads = threads

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._collection.name

    async def upsert(
        self,
        ids: IdsLike | AnyId | None = None,
        vectors: VectorsLike | None = None,
        metadata: MetadataLike | None = None,
        *,
        durability: Durability = "sync",
    ) -> Upserted:
        """See ``Collection.upsert``."""
        return await self._threads.run(
            self._collection.upsert, ids, vectors, metadata, durability=durability
        )

    async def upsert_batches(
        self, batches: Any, *, durability: Durability = "sync", progress: bool | None = None
    ) -> BatchesUpserted:
        """See ``Collection.upsert_batches``; the iterator runs in a thread."""
        return await self._threads.run(
            self._collection.upsert_batches, batches, durability=durability, progress=progress
        )

    @overload
    async def get(  # type: ignore[overload-overlap]
        self, ids: AnyId, *, with_vectors: bool = True, with_metadata: bool = True
    ) -> Point | None: ...
    @overload
    async def get(
        self, ids: IdsLike, *, with_vectors: bool = True, with_metadata: bool = True
    ) -> list[Point | None]: ...
    async def get(
        self, ids: IdsLike | AnyId, *, with_vectors: bool = True, with_metadata: bool = True
    ) -> Point | None | list[Point | None]:
        """See ``Collection.get``."""
        call: Callable[..., Point | None | list[Point | None]] = self._collection.get
        return await self._threads.run(
            call, ids, with_vectors=with_vectors, with_metadata=with_metadata
        )

    async def delete(
        self,
        ids: IdsLike | AnyId | None = None,
        *,
        filter: FilterLike | None = None,
        durability: Durability = "sync",
    ) -> Deleted:
        """See ``Collection.delete``."""
        return await self._threads.run(
            self._collection.delete, ids, filter=filter, durability=durability
        )

    async def update_metadata(
        self,
        ids: IdsLike | AnyId | None = None,
        patch: dict[str, Any] | None = None,
        *,
        filter: FilterLike | None = None,
        durability: Durability = "sync",
    ) -> MetadataUpdated:
        """See ``Collection.update_metadata``."""
        return await self._threads.run(
            self._collection.update_metadata, ids, patch, filter=filter, durability=durability
        )

    async def search(
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
    ) -> Any:
        """See ``Collection.search``: ``Hits`` for a vector, ``ManyHits`` for a matrix."""
        call: Callable[..., Hits | ManyHits] = self._collection.search
        return await self._threads.run(
            call,
            vectors,
            limit,
            filter=filter,
            recall=recall,
            with_metadata=with_metadata,
            with_vectors=with_vectors,
            probes=probes,
            rerank=rerank,
            explain=explain,
        )

    async def scan(
        self,
        *,
        filter: FilterLike | None = None,
        with_vectors: bool = False,
        with_metadata: bool = True,
        page_points: int = 1000,
    ) -> AsyncIterator[Point]:
        """See ``Collection.scan``; an asynchronous iterator."""
        cursor: int | None = None
        while True:
            page = await self._threads.run(
                self._collection.scan_page,
                cursor,
                limit=page_points,
                filter=filter,
                with_vectors=with_vectors,
                with_metadata=with_metadata,
            )
            for point in page.points:
                yield point
            cursor = page.next
            if cursor is None:
                return

    async def count(self, *, filter: FilterLike | None = None) -> int:
        """See ``Collection.count``."""
        return await self._threads.run(self._collection.count, filter=filter)

    async def describe(self) -> Description:
        """See ``Collection.describe``."""
        return await self._threads.run(self._collection.describe)

    async def flush(self) -> int:
        """See ``Collection.flush``."""
        return await self._threads.run(self._collection.flush)

    async def compact(self) -> Compacted:
        """See ``Collection.compact``."""
        return await self._threads.run(self._collection.compact)

    async def snapshot(self, destination: str | os.PathLike[str] | None = None) -> SnapshotTaken:
        """See ``Collection.snapshot``."""
        return await self._threads.run(self._collection.snapshot, destination)

    async def reserve(self, rows: int) -> Reservation:
        """See ``Collection.reserve``; to be committed with ``commit`` of this collection."""
        return await self._threads.run(self._collection.reserve, rows)

    async def commit(
        self,
        reservation: Reservation,
        ids: IdsLike | AnyId,
        metadata: MetadataLike | None = None,
        *,
        durability: Durability = "sync",
    ) -> Upserted:
        """See ``Reservation.commit``."""
        return await self._threads.run(reservation.commit, ids, metadata, durability=durability)

    def __repr__(self) -> str:
        return f"Async{self._collection!r}"
