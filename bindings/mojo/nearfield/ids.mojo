"""Ids as the library takes them."""

from .library import Address, Words
from .point import Id


struct Columns(Movable):
    """Ids of any kind as columns, which live as long as this does."""

    var numbers: List[UInt64]
    var texts: List[Address]
    var lengths: List[Int]
    var kept: List[String]

    def __init__(out self, ids: Span[Id, _]):
        self.numbers = List[UInt64](capacity=len(ids))
        self.texts = List[Address](capacity=len(ids))
        self.lengths = List[Int](capacity=len(ids))
        self.kept = List[String](capacity=len(ids))
        for position in range(len(ids)):
            self.kept.append(ids[position].text)
        for position in range(len(ids)):
            self.numbers.append(ids[position].number)
            self.lengths.append(self.kept[position].byte_length())
            if ids[position].is_number:
                self.texts.append(0)
            else:
                self.texts.append(Int(self.kept[position].unsafe_ptr()))

    def raw(self) -> Words:
        """The structure nf_ids, which names the columns; valid as long as this is."""
        return [
            UInt64(Int(self.numbers.unsafe_ptr())),
            UInt64(Int(self.texts.unsafe_ptr())),
            UInt64(Int(self.lengths.unsafe_ptr())),
            UInt64(len(self.numbers)),
        ]
