"""HTTP in and out.

- `body`, `keys`: read a request; who is asking.
- `operations`: every ChatKit operation.
- `plain`: the protocol for clients without ChatKit.
- `turn_routes`, `sse`: follow, look at and cancel a turn.
- `client.js`: the script for pages.
"""
