"""How plugins are found and called.

- `hookspecs`: every hook. Read this first.
- `discovery`: find plugins. `load`: import and make those that the settings name.
- `checks`: refuse implementations that cannot work.
- `calls`: call hooks, in order and in time.
"""
