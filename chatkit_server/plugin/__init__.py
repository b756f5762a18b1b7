"""How plugins are found and called.

- `hookspecs`: every hook. Read this first.
- `discovery`: find, import and make the plugins that the settings name, and call their hooks.
"""
