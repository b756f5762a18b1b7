"""Small backends written with the official ChatKit SDK, as teams write theirs.

None of them knows this server. Each shows another kind of what such backends rely on.
"""
