"""Nearfield stores vectors with ids and metadata, and finds the nearest ones.

``connect`` opens everything: a path, ``:memory:``, or the URL of a server.

>>> import nearfield
>>> db = nearfield.connect(":memory:")
>>> albums = db.create_collection("albums", dimension=3)
>>> albums.upsert(["blue", "red"], [[1, 0, 0], [0, 1, 0]], [{"year": 1971}, {"year": 1974}])
Upserted(upserted=2, sequence=1)
>>> albums.search([0.9, 0.1, 0], limit=1, filter="year < 1974")[0].id
'blue'
"""

from __future__ import annotations

from collections.abc import Sequence as _Sequence

from ._async import AsyncCollection, AsyncDatabase, connect_async
from ._batches import BatchesUpserted
from ._description import Calibration, Description, FieldDescription, IndexDescription
from ._errors import (
    AlreadyExists,
    Cancelled,
    Corruption,
    DeadlineExceeded,
    Error,
    Forbidden,
    Internal,
    InvalidArgument,
    InvalidType,
    Locked,
    NotFound,
    OutOfMemory,
    Overloaded,
    Storage,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WritesStopped,
)
from ._nearfield import (
    Collection,
    Compacted,
    Database,
    Deleted,
    Hit,
    Hits,
    ManyHits,
    MetadataUpdated,
    Page,
    Point,
    Reservation,
    Scan,
    SnapshotTaken,
    Upserted,
    __version__,
    connect,
)

__all__ = [
    "AlreadyExists",
    "AsyncCollection",
    "AsyncDatabase",
    "BatchesUpserted",
    "Calibration",
    "Cancelled",
    "Collection",
    "Compacted",
    "Corruption",
    "Database",
    "DeadlineExceeded",
    "Deleted",
    "Description",
    "Error",
    "FieldDescription",
    "Forbidden",
    "Hit",
    "Hits",
    "IndexDescription",
    "Internal",
    "InvalidArgument",
    "InvalidType",
    "Locked",
    "ManyHits",
    "MetadataUpdated",
    "NotFound",
    "OutOfMemory",
    "Overloaded",
    "Page",
    "Point",
    "Reservation",
    "Scan",
    "SnapshotTaken",
    "Storage",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "Unsupported",
    "Upserted",
    "WritesStopped",
    "__version__",
    "connect",
    "connect_async",
]

# They are sequences in all but birth: `isinstance` says so.
_Sequence.register(Hits)
_Sequence.register(ManyHits)
