"""A plugin's own tables: folders with notes, and migrations in several states.

`v1` makes the tables, `v2` makes the folder's name longer as well, and `broken` fails half-way.
"""
