"""Connections to MCP servers, whose tools agents use.

- `connection`: one server, with time limits and clear errors.
- `server`: a server that the core keeps connected.
- `manager`: all servers of the process, and the tools they give to a turn.
"""
