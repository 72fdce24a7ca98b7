"""A store, whichever door it stands behind."""

from std.memory import ArcPointer

from .collection import Collection
from .constants import COSINE, F32
from .library import Address, Library, Words, halves, room, text_of


def connect(target: String, api_key: String = "") raises -> Database:
    """Opens a store: a path such as `./data`, `:memory:`, or the URL of a server.

    Args:
        target: What to open; see `nf_connect` in nearfield.h.
        api_key: The key that a server asks for.

    Returns:
        The open store, which closes when it and its collections are gone.

    Raises:
        An error that begins with its kind, such as `locked` or `unavailable`.
    """
    var library = ArcPointer(Library())
    var options = room(6)
    options[0] = 48
    var key = api_key
    if key:
        options[1] = UInt64(Int(key.as_c_string_span().ptr()))
    var name = target
    var handle = room(1)
    var status = library[].handle.call["nf_connect", Int32](
        name.as_c_string_span().ptr(), options.unsafe_ptr(), handle.unsafe_ptr()
    )
    _ = key^
    _ = name^
    _ = options^
    library[].check(status)
    return Database(library, Int(handle[0]))


struct Database(Movable):
    """An open store."""

    var library: ArcPointer[Library]
    var handle: Address

    def __init__(out self, library: ArcPointer[Library], handle: Address):
        """Takes a handle over; `connect` makes one."""
        self.library = library
        self.handle = handle

    def __deinit__(deinit self):
        """Gives the handle back."""
        _ = self.library[].handle.call["nf_database_free", Int32](self.handle)

    def create_collection(
        self, name: String, dimension: Int, metric: Int32 = COSINE, storage: Int32 = F32
    ) raises -> Collection:
        """Makes a collection and opens it.

        Args:
            name: 1 to 128 of the characters A-Z a-z 0-9 _ -.
            dimension: Components of its vectors, 1 to 65,536.
            metric: COSINE, DOT or EUCLIDEAN.
            storage: F32 or F16.

        Returns:
            The collection.

        Raises:
            `already_exists` if there is one of this name.
        """
        var options: Words = [32, halves(UInt32(metric), UInt32(storage)), 0, 0]
        var text = name
        var handle = room(1)
        var status = self.library[].handle.call["nf_create_collection", Int32](
            self.handle,
            text.as_c_string_span().ptr(),
            dimension,
            options.unsafe_ptr(),
            handle.unsafe_ptr(),
        )
        _ = options^
        _ = text^
        self.library[].check(status)
        return Collection(self.library, Int(handle[0]))

    def collection(self, name: String) raises -> Collection:
        """Opens a collection; raises `not_found` if it is not there."""
        var text = name
        var handle = room(1)
        var status = self.library[].handle.call["nf_open_collection", Int32](
            self.handle, text.as_c_string_span().ptr(), handle.unsafe_ptr()
        )
        _ = text^
        self.library[].check(status)
        return Collection(self.library, Int(handle[0]))

    def drop_collection(self, name: String) raises:
        """Removes a collection and all its points; raises `not_found` if it is not there."""
        var text = name
        var status = self.library[].handle.call["nf_drop_collection", Int32](
            self.handle, text.as_c_string_span().ptr()
        )
        _ = text^
        self.library[].check(status)

    def call(self, request: String) raises -> String:
        """Answers any request, written as JSON, such as `{"list_collections": {}}`."""
        var text = request
        var response = room(1)
        var length = room(1)
        var status = self.library[].handle.call["nf_call", Int32](
            self.handle,
            text.as_c_string_span().ptr(),
            response.unsafe_ptr(),
            length.unsafe_ptr(),
        )
        _ = text^
        self.library[].check(status)
        var answer = text_of(Int(response[0]), Int(length[0]))
        _ = self.library[].handle.call["nf_text_free", Int32](Int(response[0]))
        return answer^
