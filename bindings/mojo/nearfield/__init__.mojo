"""Nearfield for Mojo: store vectors with ids and metadata, and find the nearest ones.

The nouns and verbs are those of every other door; this package calls the C door,
`libnearfield.so`, which it looks for at the path in `NEARFIELD_LIBRARY`, else where the system
keeps libraries.

```mojo
import nearfield

def main() raises:
    var db = nearfield.connect(":memory:")
    var albums = db.create_collection("albums", dimension=2, metric=nearfield.EUCLIDEAN)
    albums.upsert([1, 2], [0, 0, 3, 4])
    var hits = albums.search([0, 0.5], limit=1)
    print(hits[0].id, hits[0].score)
```
"""

from .collection import Collection, Description
from .constants import COSINE, DOT, EUCLIDEAN, F16, F32, OS, SYNC
from .database import Database, connect
from .point import Id, Page, Point
