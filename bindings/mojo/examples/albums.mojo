"""Stores a few albums and finds the nearest to a query:
`mojo run -I bindings/mojo bindings/mojo/examples/albums.mojo`."""

import nearfield
from nearfield import Id


def main() raises:
    var db = nearfield.connect(":memory:")
    var albums = db.create_collection("albums", dimension=3)
    var titles: List[Id] = [Id("Kind of Blue"), Id("Blue"), Id("Blue Train")]
    albums.upsert_points(
        titles,
        [1.0, 0.1, 0.0, 0.0, 1.0, 0.0, 0.9, 0.2, 0.0],
        ['{"year": 1959}', '{"year": 1971}', '{"year": 1958}'],
    )
    for hit in albums.search([1.0, 0.0, 0.0], limit=2, filter="year < 1960", with_metadata=True):
        print(hit.score, hit.id, hit.metadata)
