"""How plugins are found and called.

- `hookspecs`: every hook. Read this first. `answers`: what each hook may return.
- `discovery`: find plugins. `folders`: import modules of plugin folders. `load`: create plugins.
- `named`: find what settings name as `module:attribute`.
- `checks`: refuse hooks that cannot work. `mistakes`: which plugin made one, and where.
- `calls`: call hooks, in order and in time. `startup`: call `setup`.
- `routes`: which routes are never called.
- `credentials`: what the example request at start must send.
"""
