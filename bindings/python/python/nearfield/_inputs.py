"""The types of what comes in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np


class HasBuffer(Protocol):
    """An object with the buffer protocol."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


class HasDLPack(Protocol):
    """An object with DLPack, such as a tensor."""

    def __dlpack__(self) -> Any: ...


class HasArrowArray(Protocol):
    """A column with Arrow's C interface."""

    def __arrow_c_array__(self, requested_schema: object | None = None, /) -> Any: ...


class HasArrowStream(Protocol):
    """A column in chunks, or a table, with Arrow's C interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None, /) -> Any: ...


class HasNumPy(Protocol):
    """A column that NumPy can read, such as of a data frame."""

    def to_numpy(self) -> Any: ...


#: One id. A UUID comes back as its text.
AnyId: TypeAlias = "int | str | uuid.UUID"
#: A column of ids.
IdsLike: TypeAlias = "Iterable[AnyId] | np.ndarray[Any, Any] | HasNumPy"
#: One vector, or rows of them.
VectorsLike: TypeAlias = (
    "np.ndarray[Any, Any] | Sequence[float] | Sequence[Sequence[float]]"
    " | Sequence[np.ndarray[Any, Any]] | HasBuffer | HasDLPack | HasArrowArray | HasArrowStream"
    " | HasNumPy"
)
#: One dict or None per point, a dict of columns, or a table.
MetadataLike: TypeAlias = (
    "Sequence[dict[str, Any] | None] | dict[str, Any] | HasArrowStream | HasNumPy"
)
#: A text such as ``"year >= 1960"``, or the JSON form as a dict.
FilterLike: TypeAlias = "str | dict[str, Any]"
#: How durable a write is when its call returns.
Durability: TypeAlias = Literal["sync", "os"]
#: How nearness is measured.
Metric: TypeAlias = Literal["cosine", "dot", "euclidean"]
#: How components are stored.
Storage: TypeAlias = Literal["f32", "f16"]
