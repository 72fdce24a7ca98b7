"""The shared library, and how its statuses become errors."""

from std.ffi import OwnedDLHandle
from std.memory import ArcPointer
from std.os import getenv

comptime Address = Int
"""An address or a handle, as the library gives it."""

comptime Words = List[UInt64]
"""A structure of nearfield.h, or a place for results, as words of 8 bytes. On the heap, where
the compiler knows that a call may read and write it; kept until the call has ended."""


def room(words: Int) -> Words:
    """Words for results, all zero."""
    return Words(length=words, fill=0)


def halves(low: UInt32, high: UInt32) -> UInt64:
    """Two members of 4 bytes, which share a word."""
    return UInt64(low) | UInt64(high) << 32


struct Library(Movable):
    """`libnearfield.so`, loaded."""

    var handle: OwnedDLHandle

    def __init__(out self) raises:
        """Loads the library from `NEARFIELD_LIBRARY`, else from where the system keeps it."""
        self.handle = OwnedDLHandle(getenv("NEARFIELD_LIBRARY", "libnearfield.so"))

    def check(self, status: Int32) raises:
        """Raises the last error of this thread unless the status is 0."""
        if status != 0:
            raise self.last_error()

    def last_error(self) -> Error:
        """The last error of this thread: its kind, where it is, and what to do."""
        var kind = text_at(self.handle.call["nf_last_error_kind", Address]())
        var message = text_at(self.handle.call["nf_last_error_message", Address]())
        var field = self.handle.call["nf_last_error_field", Address]()
        var row = self.handle.call["nf_last_error_row", Int]()
        var place = String("")
        if field != 0:
            place += text_at(field)
        if row >= 0:
            if place:
                place += ", "
            place += "row " + String(row)
        if place:
            place += ": "
        return Error(kind + ": " + place + message)


def text_at(address: Address) -> String:
    """A copy of the text at an address, up to its NUL; empty for NULL."""
    if address == 0:
        return String("")
    var start = Pointer[UInt8, MutAnyOrigin](unsafe_from_address=address)
    var length = 0
    while start[unsafe_offset=length] != 0:
        length += 1
    return text_of(address, length)


def text_of(address: Address, length: Int) -> String:
    """A copy of `length` bytes of text at an address."""
    if address == 0 or length == 0:
        return String("")
    var start = Pointer[UInt8, MutAnyOrigin](unsafe_from_address=address)
    return String(from_utf8_lossy=Span(unsafe_ptr=start, length=length))
