"""A collection: each verb is a method."""

from std.memory import ArcPointer, bitcast

from .constants import SYNC
from .ids import Columns
from .library import Address, Library, Words, halves, room
from .point import Id, Page, Point, read_list


@fieldwise_init
struct Description(Copyable, Movable):
    """A collection's schema and state."""

    var dimension: Int
    """Components per vector."""
    var metric: Int32
    """COSINE, DOT or EUCLIDEAN."""
    var storage: Int32
    """F32 or F16."""
    var count: UInt64
    """Points."""
    var unindexed: UInt64
    """Rows that are in no list of the index yet."""
    var sequence: UInt64
    """The number of the last write."""
    var synced: UInt64
    """The number of the last write that is known to be on disk."""
    var log_bytes: UInt64
    """Bytes of the log's files."""
    var memory_bytes: UInt64
    """Bytes of memory that the collection takes, about."""


struct Collection(Movable):
    """A collection of an open store."""

    var library: ArcPointer[Library]
    var handle: Address

    def __init__(out self, library: ArcPointer[Library], handle: Address):
        """Takes a handle over; `Database` makes them."""
        self.library = library
        self.handle = handle

    def __deinit__(deinit self):
        """Gives the handle back; the collection stays."""
        _ = self.library[].handle.call["nf_collection_free", Int32](self.handle)

    def upsert(
        self, ids: Span[UInt64, _], vectors: Span[Float32, _], durability: Int32 = SYNC
    ) raises:
        """Writes points whose ids are numbers; points of these ids are replaced.

        Args:
            ids: One number per point.
            vectors: Their components, one vector after the other.
            durability: SYNC or OS.

        Raises:
            An error that names the row at fault; a refused batch changes nothing.
        """
        var dimension = self.dimension_of(len(ids), len(vectors))
        self.library[].check(
            self.library[].handle.call["nf_upsert_numbers", Int32](
                self.handle, ids.unsafe_ptr(), vectors.unsafe_ptr(), len(ids), dimension, durability
            )
        )

    def upsert_one(self, id: UInt64, vector: Span[Float32, _], durability: Int32 = SYNC) raises:
        """Writes one point."""
        self.library[].check(
            self.library[].handle.call["nf_upsert_one", Int32](
                self.handle, id, vector.unsafe_ptr(), len(vector), durability
            )
        )

    def upsert_points(
        self,
        ids: Span[Id, _],
        vectors: Span[Float32, _],
        metadata: Span[String, _],
        durability: Int32 = SYNC,
    ) raises:
        """Writes points with ids of any kind and metadata.

        Args:
            ids: One id per point.
            vectors: Their components, one vector after the other.
            metadata: A JSON object per point, empty for none; no strings at all where no point
                has any.
            durability: SYNC or OS.

        Raises:
            An error that names the row at fault; a refused batch changes nothing.
        """
        if len(metadata) != 0 and len(metadata) != len(ids):
            raise Error("invalid_argument: metadata: give one string per id, or none at all")
        var dimension = self.dimension_of(len(ids), len(vectors))
        var columns = Columns(ids)
        var raw = columns.raw()
        var options: Words = [40, UInt64(durability), 0, 0, 0]
        var rows = List[Address](capacity=len(metadata))
        var lengths = List[Int](capacity=len(metadata))
        for position in range(len(metadata)):
            lengths.append(metadata[position].byte_length())
            rows.append(Int(metadata[position].unsafe_ptr()) if metadata[position] else 0)
        if rows:
            options[2] = UInt64(Int(rows.unsafe_ptr()))
            options[3] = UInt64(Int(lengths.unsafe_ptr()))
        var status = self.library[].handle.call["nf_upsert", Int32](
            self.handle, raw.unsafe_ptr(), vectors.unsafe_ptr(), dimension, options.unsafe_ptr()
        )
        _ = columns^
        _ = rows^
        _ = lengths^
        _ = options^
        _ = raw^
        self.library[].check(status)

    def search(
        self,
        vector: Span[Float32, _],
        limit: Int = 10,
        filter: String = "",
        recall: Float32 = 0.95,
        with_metadata: Bool = False,
        with_vectors: Bool = False,
    ) raises -> List[Point]:
        """Finds the points nearest to a vector, the nearest first.

        Args:
            vector: The query.
            limit: Hits, 1 to 10,000.
            filter: Finds only points that match, such as `year >= 1960`; empty for all.
            recall: The share of the true nearest to be found on average; 1 is exact.
            with_metadata: Whether hits hold their metadata.
            with_vectors: Whether hits hold their vectors.

        Returns:
            The hits.

        Raises:
            `invalid_argument` for a vector of another dimension or a filter that cannot be read.
        """
        var found = self.search_many(
            vector, len(vector), limit, filter, recall, with_metadata, with_vectors
        )
        return found[0].copy()

    def search_many(
        self,
        vectors: Span[Float32, _],
        dimension: Int,
        limit: Int = 10,
        filter: String = "",
        recall: Float32 = 0.95,
        with_metadata: Bool = False,
        with_vectors: Bool = False,
    ) raises -> List[List[Point]]:
        """Finds the points nearest to each of several vectors: a list of hits for each."""
        if dimension <= 0 or len(vectors) % dimension != 0:
            raise Error("invalid_argument: vectors: the components do not make whole vectors")
        var flags = UInt64(Int(with_metadata) | Int(with_vectors) << 8)
        var options = search_options(limit, recall, flags)
        var text = filter
        if text:
            options[2] = UInt64(Int(text.as_c_string_span().ptr()))
        var results = room(1)
        var status = self.library[].handle.call["nf_search", Int32](
            self.handle,
            vectors.unsafe_ptr(),
            len(vectors) // dimension,
            dimension,
            options.unsafe_ptr(),
            results.unsafe_ptr(),
        )
        _ = text^
        _ = options^
        self.library[].check(status)
        var lists = List[List[Point]]()
        for number in range(self.library[].handle.call["nf_results_lists", Int](Int(results[0]))):
            lists.append(present(read_list(self.library[], Int(results[0]), number)))
        _ = self.library[].handle.call["nf_results_free", Int32](Int(results[0]))
        return lists^

    def search_into(
        self,
        vectors: Span[Float32, _],
        dimension: Int,
        limit: Int,
        mut ids: List[UInt64],
        mut scores: List[Float32],
    ) raises:
        """Searches into memory of the caller, for ids that are numbers: `limit` places per query
        vector in both lists, which have to be long enough."""
        if dimension <= 0 or len(vectors) % dimension != 0:
            raise Error("invalid_argument: vectors: the components do not make whole vectors")
        var count = len(vectors) // dimension
        if len(ids) < count * limit or len(scores) < count * limit:
            raise Error("invalid_argument: ids: the lists are too short for all hits")
        var options = search_options(limit, 0, 0)
        var status = self.library[].handle.call["nf_search_into", Int32](
            self.handle,
            vectors.unsafe_ptr(),
            count,
            dimension,
            options.unsafe_ptr(),
            ids.unsafe_ptr(),
            scores.unsafe_ptr(),
            Int(0),
        )
        _ = options^
        self.library[].check(status)

    def get(self, ids: Span[Id, _]) raises -> List[Optional[Point]]:
        """Reads points by id; nothing in the place of an id that is not there."""
        var columns = Columns(ids)
        var raw = columns.raw()
        var results = room(1)
        var status = self.library[].handle.call["nf_get", Int32](
            self.handle, raw.unsafe_ptr(), Int(0), results.unsafe_ptr()
        )
        _ = columns^
        _ = raw^
        self.library[].check(status)
        var points = read_list(self.library[], Int(results[0]), 0)
        _ = self.library[].handle.call["nf_results_free", Int32](Int(results[0]))
        return points^

    def scan(
        self, limit: Int = 1000, cursor: UInt64 = 0, filter: String = "", with_vectors: Bool = False
    ) raises -> Page:
        """Reads a page of all points; `cursor` is the `next` of the page before, 0 at first."""
        var page = halves(UInt32(limit), UInt32(Int(with_vectors)))
        var options: Words = [32, page, cursor, 0]
        var text = filter
        if text:
            options[3] = UInt64(Int(text.as_c_string_span().ptr()))
        var results = room(1)
        var status = self.library[].handle.call["nf_scan", Int32](
            self.handle, options.unsafe_ptr(), results.unsafe_ptr()
        )
        _ = text^
        _ = options^
        self.library[].check(status)
        var points = present(read_list(self.library[], Int(results[0]), 0))
        var next = self.library[].handle.call["nf_results_cursor", UInt64](Int(results[0]))
        _ = self.library[].handle.call["nf_results_free", Int32](Int(results[0]))
        return Page(points^, next)

    def count(self, filter: String = "") raises -> UInt64:
        """Counts the points that match, or all."""
        var count = room(1)
        var text = filter
        var address: Address = 0
        if text:
            address = Int(text.as_c_string_span().ptr())
        var status = self.library[].handle.call["nf_count", Int32](
            self.handle, address, count.unsafe_ptr()
        )
        _ = text^
        self.library[].check(status)
        return count[0]

    def delete(self, ids: Span[Id, _], durability: Int32 = SYNC) raises -> UInt64:
        """Removes points by id; returns how many went."""
        var columns = Columns(ids)
        var raw = columns.raw()
        var deleted = room(1)
        var status = self.library[].handle.call["nf_delete", Int32](
            self.handle, raw.unsafe_ptr(), durability, deleted.unsafe_ptr()
        )
        _ = columns^
        _ = raw^
        self.library[].check(status)
        return deleted[0]

    def delete_matching(self, filter: String, durability: Int32 = SYNC) raises -> UInt64:
        """Removes the points that match; returns how many went."""
        var deleted = room(1)
        var text = filter
        var status = self.library[].handle.call["nf_delete_matching", Int32](
            self.handle, text.as_c_string_span().ptr(), durability, deleted.unsafe_ptr()
        )
        _ = text^
        self.library[].check(status)
        return deleted[0]

    def update_metadata(
        self, ids: Span[Id, _], patch: String, durability: Int32 = SYNC
    ) raises -> UInt64:
        """Merges a JSON object into the metadata of points (RFC 7396); returns how many there were."""
        var columns = Columns(ids)
        var raw = columns.raw()
        var updated = room(1)
        var text = patch
        var status = self.library[].handle.call["nf_update_metadata", Int32](
            self.handle,
            raw.unsafe_ptr(),
            text.as_c_string_span().ptr(),
            durability,
            updated.unsafe_ptr(),
        )
        _ = columns^
        _ = text^
        _ = raw^
        self.library[].check(status)
        return updated[0]

    def describe(self) raises -> Description:
        """Tells the schema and state."""
        var words = room(9)
        words[0] = 72
        self.library[].check(
            self.library[].handle.call["nf_describe", Int32](self.handle, words.unsafe_ptr())
        )
        return Description(
            Int(words[1]),
            Int32(words[2] & 0xFFFF_FFFF),
            Int32(words[2] >> 32),
            words[3],
            words[4],
            words[5],
            words[6],
            words[7],
            words[8],
        )

    def flush(self) raises:
        """Makes all acknowledged writes durable."""
        self.library[].check(
            self.library[].handle.call["nf_flush", Int32](self.handle, Int(0))
        )

    def compact(self) raises:
        """Gives back the space of points that were removed or replaced."""
        self.library[].check(
            self.library[].handle.call["nf_compact", Int32](self.handle, Int(0), Int(0))
        )

    def dimension_of(self, rows: Int, components: Int) raises -> Int:
        """The length of each of `rows` vectors that have so many components together."""
        if rows == 0 or components % rows != 0:
            raise Error(
                "invalid_argument: vectors: " + String(components) + " components do not make "
                + String(rows) + " vectors of one length"
            )
        return components // rows


def search_options(limit: Int, recall: Float32, flags: UInt64) -> Words:
    """The structure nf_search_options."""
    return [40, halves(UInt32(limit), bitcast[DType.uint32](recall)), 0, 0, flags]


def present(points: List[Optional[Point]]) -> List[Point]:
    """The points that are there."""
    var there = List[Point](capacity=len(points))
    for position in range(len(points)):
        if points[position]:
            there.append(points[position].value().copy())
    return there^
