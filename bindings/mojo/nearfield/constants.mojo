"""The constants of nearfield.h."""

comptime COSINE: Int32 = 0
"""By angle: the score is the cosine, larger is nearer."""
comptime DOT: Int32 = 1
"""By inner product: the score is it, larger is nearer."""
comptime EUCLIDEAN: Int32 = 2
"""By distance: the score is it, smaller is nearer."""

comptime F32: Int32 = 0
"""Components are stored as 32-bit floats."""
comptime F16: Int32 = 1
"""Components are rounded to 16-bit floats."""

comptime SYNC: Int32 = 0
"""Durable on disk when a write returns."""
comptime OS: Int32 = 1
"""With the operating system when a write returns: survives a crash of the process."""
