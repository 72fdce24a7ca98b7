"""Points as they are found, and their ids."""

from std.memory import bitcast

from .library import Address, Library, Words, room, text_of

comptime MISSING: Int32 = 0
comptime NUMBER: Int32 = 1
comptime UUID: Int32 = 2
comptime TEXT: Int32 = 3


@fieldwise_init
struct Id(Copyable, Equatable, Movable, Writable):
    """The id of a point: a number, or a text (a UUID is its canonical text)."""

    var is_number: Bool
    """Whether it is a number."""
    var number: UInt64
    """The number, or 0."""
    var text: String
    """The text, or nothing."""

    @implicit
    def __init__(out self, number: Int):
        """An id that is a number."""
        self = Id(True, UInt64(number), String(""))

    @implicit
    def __init__(out self, text: String):
        """An id that is a text."""
        self = Id(False, UInt64(0), text)

    def write_to(self, mut writer: Some[Writer]):
        """Writes the number or the text."""
        if self.is_number:
            writer.write(self.number)
        else:
            writer.write(self.text)


@fieldwise_init
struct Point(Copyable, Movable):
    """A point that a search, a get or a scan found."""

    var id: Id
    """Its id."""
    var score: Float32
    """Of a hit how near it is: see the metric; 0 for others."""
    var vector: List[Float32]
    """Its vector; empty if it was not asked for."""
    var metadata: String
    """Its metadata as a JSON object; empty if there is none or it was not asked for."""


@fieldwise_init
struct Page(Copyable, Movable):
    """A page of a scan."""

    var points: List[Point]
    """The points."""
    var next: UInt64
    """Where the next page begins; 0 after the last."""


def copied(words: Words) -> Point:
    """A point in memory of its own, from the structure nf_point."""
    var kind = Int32(words[0] & 0xFFFF_FFFF)
    var dimension = Int(words[5])
    var vector = List[Float32](capacity=dimension)
    if words[4] != 0:
        var start = Pointer[Float32, MutAnyOrigin](unsafe_from_address=Int(words[4]))
        for position in range(dimension):
            vector.append(start[unsafe_offset=position])
    var id = Id(kind == NUMBER, words[1], text_of(Int(words[2]), Int(words[3])))
    var score = bitcast[DType.float32](UInt32(words[0] >> 32))
    return Point(id^, score, vector^, text_of(Int(words[6]), Int(words[7])))


def read_list(library: Library, results: Address, number: Int) raises -> List[Optional[Point]]:
    """The points of one list of results, in memory of their own."""
    var count = library.handle.call["nf_results_count", Int](results, number)
    var points = List[Optional[Point]](capacity=count)
    for position in range(count):
        var point = room(8)
        library.check(
            library.handle.call["nf_results_point", Int32](
                results, number, position, point.unsafe_ptr()
            )
        )
        if Int32(point[0] & 0xFFFF_FFFF) == MISSING:
            points.append(None)
        else:
            points.append(copied(point))
    return points^
