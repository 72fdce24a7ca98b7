"""What can go wrong: one class of exception per kind, each with the caller's next move."""

from __future__ import annotations

from typing import ClassVar


class Error(Exception):
    """The base of all exceptions of Nearfield.

    ``message`` is a sentence for a person; ``row`` (counted from 0) and ``field`` name what is at
    fault in the call, where that is known; ``kind`` is the name that all doors use.
    """

    kind: ClassVar[str] = "internal"

    def __init__(self, message: str, row: int | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.row = row
        self.field = field

    def __reduce__(self) -> tuple[type[Error], tuple[str, int | None, str | None]]:
        return type(self), (self.message, self.row, self.field)

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (self.field, None if self.row is None else f"row {self.row}")
            if part
        )
        return f"{place}: {self.message}" if place else self.message


class InvalidArgument(Error, ValueError):
    """The call breaks a rule. Correct it; made again it fails again."""

    kind = "invalid_argument"


class InvalidType(InvalidArgument, TypeError):
    """An argument is of a type that cannot be read, such as an array of objects."""


class NotFound(Error, LookupError):
    """The collection does not exist. Create it, or correct the name."""

    kind = "not_found"


class AlreadyExists(Error):
    """A collection of this name exists. Open it, or choose another name."""

    kind = "already_exists"


class TooLarge(Error, ValueError):
    """The call is over a limit. Send less per call."""

    kind = "too_large"


class Unauthenticated(Error):
    """The server does not know the caller. Give a valid ``api_key``."""

    kind = "unauthenticated"


class Forbidden(Error, PermissionError):
    """The caller may not do this. Use a key with the right that the message names."""

    kind = "forbidden"


class DeadlineExceeded(Error, TimeoutError):
    """The time was over before the answer came. A write may or may not have been applied."""

    kind = "deadline_exceeded"


class Cancelled(Error):
    """The call was given up. A write may or may not have been applied."""

    kind = "cancelled"


class Locked(Error):
    """Another process holds the path. The message names it."""

    kind = "locked"


class Storage(Error, OSError):
    """The store's files cannot be read or written. The message names the file."""

    kind = "storage"


class WritesStopped(Error):
    """A write to disk failed: the store takes no more writes until it is opened again."""

    kind = "writes_stopped"


class Corruption(Error):
    """A file is not what was written. Run ``nearfield doctor``, or restore a snapshot."""

    kind = "corruption"


class Unsupported(Error):
    """The file, wire or option belongs to another version. Update, as the message says."""

    kind = "unsupported"


class OutOfMemory(Error, MemoryError):
    """The memory budget would be exceeded. Raise it, or delete and compact."""

    kind = "out_of_memory"


class Overloaded(Error):
    """Too much work is under way. Wait and retry."""

    kind = "overloaded"


class Unavailable(Error, ConnectionError):
    """The store cannot be reached or is closing. Retry."""

    kind = "unavailable"


class Internal(Error):
    """A defect of Nearfield. Report it."""

    kind = "internal"


BY_KIND: dict[str, type[Error]] = {
    kind.kind: kind
    for kind in (
        InvalidArgument,
        NotFound,
        AlreadyExists,
        TooLarge,
        Unauthenticated,
        Forbidden,
        DeadlineExceeded,
        Cancelled,
        Locked,
        Storage,
        WritesStopped,
        Corruption,
        Unsupported,
        OutOfMemory,
        Overloaded,
        Unavailable,
        Internal,
    )
}


# Tracebacks name the classes as callers import them.
for _each in (Error, *Error.__subclasses__(), *InvalidArgument.__subclasses__()):
    _each.__module__ = "nearfield"
