"""Backends written with the official SDK, on its own set-up and on this server.

- `backends/`: the backends, each of another kind.
- `conversations`: what is said to each of them, and what the model answers.
- `page`: the page that says it, and notes everything that it gets.
- `official`, `ours`: the two ways to run a backend.
- `transcript`: what was noted, without what may differ between two runs.
- `differences`: what this server does in another way on purpose, each with a name.
- `cases`: the backends with their conversations and differences.

`python -m tests.sdk_servers` prints the differences as they are now, and `--table` the table that
is in the docs.
"""
