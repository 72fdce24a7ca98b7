"""What the worker asks of a peer."""

import os


class Peer:
    """One open index or store.

    Only `train`, `add`, `finish` and `search` are timed; what they are given is made before.
    """

    durability = {}
    """For stores: `sync` and `os` to what the acknowledgement rests on. Empty for libraries."""
    filters = ""
    """Why there are no filtered searches; empty if there are."""
    own_threads = False
    """Whether one call shares its queries among threads of its own."""

    def __init__(self, parameters, *, dimension, metric, rows, folder, threads):
        self.parameters = parameters
        self.dimension = dimension
        self.metric = metric
        self.rows = rows
        self.folder = folder
        self.threads = threads

    def create(self, fields, durability):
        """An empty index or store; `fields` says whether rows bring fields."""
        raise NotImplementedError

    def training_rows(self):
        """How many rows `train` is given; 0 for peers that are not trained by their caller."""
        return 0

    def train(self, sample):
        pass

    def prepare(self, first, vectors, fields):
        """A batch in the peer's own terms: rows numbered from `first`; `fields` maps names to lists."""
        return first, vectors

    def add(self, batch):
        """Returns once the batch is acknowledged."""
        raise NotImplementedError

    def finish(self):
        """Returns once all is indexed and written."""

    def ready(self):
        """Before the first search."""

    def search_threads(self, count):
        """How many threads a call may use."""

    def matching(self, name, rows):
        """A filter: the field that is 0, and the numbers of the rows for which it is."""
        return name

    def calls(self, queries, setting, matching):
        """Queries as calls, in order: pairs of a prepared call and how many queries it holds."""
        raise NotImplementedError

    def search(self, call):
        raise NotImplementedError

    def ids(self, result):
        """Per query of the call, the row numbers found."""
        raise NotImplementedError

    def disk(self):
        """Bytes on disk: for a library, of the file that it saves."""
        return allocated(self.folder)

    def close(self):
        pass


def chunks(queries, size):
    return [queries[start : start + size] for start in range(0, len(queries), size)]


def allocated(folder):
    """Bytes that the file system holds for a folder's files."""
    paths = (os.path.join(root, name) for root, _, names in os.walk(folder) for name in names)
    return sum(os.stat(path).st_blocks * 512 for path in paths)
