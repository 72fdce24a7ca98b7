# %% [markdown]
# # Nearfield in ten minutes
# Cells begin with `# %%`: editors run them one by one, and `python tutorial.py` runs all.

# %%
import numpy as np

import nearfield

# %% [markdown]
# ## Store and find
# `connect` opens everything: a path, `:memory:`, or the URL of a server. Nothing else changes.
# With `exist_ok` a collection that an earlier run made is opened, and else it is made.

# %%
db = nearfield.connect("./tutorial-data")
albums = db.create_collection("albums", dimension=3, metric="cosine", exist_ok=True)
albums.upsert(
    ["kind-of-blue", "blue", "giant-steps"],
    [[0.9, 0.1, 0.2], [0.1, 0.9, 0.3], [0.8, 0.0, 0.4]],
    [
        {"artist": "Miles Davis", "year": 1959, "genre": "jazz"},
        {"artist": "Joni Mitchell", "year": 1971, "genre": "folk"},
        {"artist": "John Coltrane", "year": 1960, "genre": "jazz"},
    ],
)
hits = albums.search([1.0, 0.0, 0.3], limit=2, with_metadata=True)
print("nearest:", hits)

# %% [markdown]
# ## Filter
# As text, or as a dict. A filtered search gives `limit` hits whenever so many match.

# %%
print(albums.search([1.0, 0.0, 0.3], filter="genre = 'jazz' and year >= 1960"))
print(albums.count(filter={"must_not": [{"field": "genre", "eq": "jazz"}]}))

# %% [markdown]
# ## Change and remove
# A patch merges into the metadata; a point with the same id replaces the one before.

# %%
albums.update_metadata(["blue"], {"label": "Reprise"})
print(albums.get("blue"))
albums.delete(filter="year < 1960")
print([point.id for point in albums.scan()])

# %% [markdown]
# ## Many vectors
# NumPy arrays go in as they are, and one call searches for many vectors on all cores. Recall is
# asked for: 1.0 is exact.

# %%
random = np.random.default_rng(1)
vectors = random.standard_normal((20_000, 64), np.float32)
points = db.create_collection("points", dimension=64, metric="euclidean", exist_ok=True)
parts = ((range(at, at + 1000), vectors[at : at + 1000]) for at in range(0, 20_000, 1000))
print(points.upsert_batches(parts))

many = points.search(vectors[:100], limit=10, recall=0.99)
exact = points.search(vectors[:100], limit=10, recall=1.0)
shared = [len(set(a) & set(b)) for a, b in zip(many.ids.tolist(), exact.ids.tolist())]
print("recall:", np.mean(shared) / 10)

# %% [markdown]
# ## Write in place
# A model writes its output where the store takes it from.

# %%
reservation = points.reserve(500)
random.standard_normal(out=reservation.vectors, dtype=np.float32)
print(reservation.commit(range(20_000, 20_500)))

# %% [markdown]
# ## Tables
# With pandas, polars or pyarrow installed, hits become tables.

# %%
try:
    print(albums.search([1.0, 0.0, 0.3], with_metadata=True).to_pandas())
except ImportError:
    print("pandas is not installed")

# %% [markdown]
# ## Close
# What was acknowledged is on disk, whatever happens to the program.

# %%
print(points.describe())
db.close()
