"""What comes in and is neither a list nor an array that is taken as it is: converted once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._errors import InvalidArgument, InvalidType

#: Kinds of NumPy's dtypes that are numbers with one component each.
NUMBERS = "fiu"


def as_f32(vectors: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A new, contiguous array of float32 that nobody else holds."""
    array = _as_array(vectors)
    if array.dtype.kind not in NUMBERS and array.dtype.name != "bfloat16":
        raise InvalidType(
            f"an array of {array.dtype} holds no numbers that can be components; "
            "use float32, or another float or integer type",
            field="vectors",
        )
    if array.ndim == 0:
        raise InvalidArgument("a number is given; a vector is a list of them", field="vectors")
    # What is beyond float32 becomes infinite, which is then refused with its row.
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float32, order="C", copy=True)


def _as_array(vectors: Any) -> np.ndarray[Any, Any]:
    if isinstance(vectors, np.ndarray):
        return vectors
    if hasattr(vectors, "to_numpy") and not _is_pyarrow(vectors):  # pandas, polars
        return _stacked(np.asarray(vectors.to_numpy()))
    if hasattr(vectors, "__arrow_c_array__") or hasattr(vectors, "__arrow_c_stream__"):
        return _of_arrow(vectors)
    if hasattr(vectors, "__dlpack__"):
        return np.from_dlpack(vectors)
    if hasattr(vectors, "__array__") or _has_buffer(vectors):
        return _stacked(np.asarray(vectors))
    raise InvalidType(
        f"the type {type(vectors).__name__} cannot be read; use a NumPy array, a list of lists, "
        "or what has the buffer protocol, DLPack or Arrow's C interface",
        field="vectors",
    )


def _is_pyarrow(column: Any) -> bool:
    return type(column).__module__.partition(".")[0] == "pyarrow"


def _has_buffer(vectors: Any) -> bool:
    try:
        memoryview(vectors).release()
    except TypeError:
        return False
    return True


def _stacked(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The rows of a column whose elements are vectors, such as of a data frame."""
    if array.dtype == object and array.ndim == 1 and len(array) > 0:
        lengths = {len(row) if hasattr(row, "__len__") else -1 for row in array}
        if len(lengths) == 1 and -1 not in lengths and not isinstance(array[0], str):
            return np.stack([np.asarray(row) for row in array])
    return array


def _of_arrow(vectors: Any) -> np.ndarray[Any, Any]:
    try:
        import pyarrow as pa
    except ImportError:
        raise ImportError("vectors: reading Arrow data needs pyarrow") from None
    if isinstance(vectors, (pa.Array, pa.ChunkedArray)):
        column = vectors
    elif hasattr(vectors, "__arrow_c_array__"):
        column = pa.array(vectors)
    else:
        column = pa.chunked_array(vectors)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    if column.null_count:
        raise InvalidArgument("the column has nulls; every point needs a vector", field="vectors")
    if pa.types.is_fixed_size_list(column.type):
        values, rows, dimension = column.flatten(), len(column), column.type.list_size
    elif pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _stacked(np.asarray(column.to_numpy(zero_copy_only=False)))
    else:
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if values.null_count:
        raise InvalidArgument("a vector has a null component", field="vectors")
    return np.asarray(values.to_numpy(zero_copy_only=False)).reshape(rows, dimension)


def as_ids(ids: Any) -> np.ndarray[Any, np.dtype[np.uint64]] | list[Any]:
    """Ids as a contiguous array of uint64, or as a list."""
    if _is_pyarrow(ids):
        return list(ids.to_pylist())
    if not isinstance(ids, np.ndarray) and hasattr(ids, "to_numpy"):
        ids = ids.to_numpy()
    if isinstance(ids, range) and (len(ids) == 0 or min(ids[0], ids[-1]) >= 0):
        return np.arange(ids.start, ids.stop, ids.step, dtype=np.uint64)
    if isinstance(ids, np.ndarray):
        if ids.ndim != 1:
            raise InvalidArgument(
                f"an array of {ids.ndim} dimensions is given; ids are one column", field="ids"
            )
        if ids.dtype.kind == "u" or (ids.dtype.kind == "i" and not (ids < 0).any()):
            return np.ascontiguousarray(ids, dtype=np.uint64)
        return list(ids.tolist())
    if isinstance(ids, (bytes, bytearray, memoryview)) or not hasattr(ids, "__iter__"):
        raise InvalidType(
            f"the type {type(ids).__name__} cannot be read; use a list or an array of whole "
            "numbers, texts or UUIDs",
            field="ids",
        )
    return list(ids)


def as_rows(metadata: Any) -> list[dict[str, Any] | None]:
    """Metadata as one dict, or None, per point."""
    if isinstance(metadata, dict):
        return _of_columns(metadata)
    if hasattr(metadata, "to_pylist"):  # pyarrow
        return list(metadata.to_pylist())
    if hasattr(metadata, "to_dicts"):  # polars
        return list(metadata.to_dicts())
    if hasattr(metadata, "to_dict") and hasattr(metadata, "columns"):  # pandas
        return _of_columns({str(name): metadata[name].tolist() for name in metadata.columns})
    if isinstance(metadata, (str, bytes)) or not hasattr(metadata, "__iter__"):
        raise InvalidType(
            f"the type {type(metadata).__name__} cannot be read; use a list of dicts, a dict of "
            "columns, or a table of pandas, polars or pyarrow",
            field="metadata",
        )
    return list(metadata)


def _of_columns(columns: dict[str, Any]) -> list[dict[str, Any] | None]:
    """Rows of a dict of columns. What is missing (None, NaN) is left out of its row."""
    lists = {
        name: column.tolist() if hasattr(column, "tolist") else list(column)
        for name, column in columns.items()
        if hasattr(column, "__iter__") and not isinstance(column, (str, bytes, dict))
    }
    if len(lists) < len(columns):
        raise InvalidType(
            "a dict for many points is one of columns, such as lists", field="metadata"
        )
    if len({len(column) for column in lists.values()}) > 1:
        raise InvalidArgument("the columns differ in length", field="metadata")
    names = list(lists)
    return [
        {name: value for name, value in zip(names, row) if not _is_missing(value)}
        for row in zip(*lists.values())
    ]


def _is_missing(value: Any) -> bool:
    # NaN, and the missing time of pandas, are not equal to themselves.
    return value is None or (not isinstance(value, (list, tuple, dict)) and bool(value != value))
