"""The data of one user: what `chatkit-server export` writes, and `erase` deletes.

- `started`: the plugins of a deployment, started without a server.
- `conversations`: what the store has, whatever store it is.
- `plugins`: what plugins have, by their hooks `export` and `erase`.
- `output`: a JSON file, a zip file or a folder.
- `export`, `erase`: the two commands.
"""
