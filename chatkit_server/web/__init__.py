"""HTTP in and out.

- `chat`: the chat's own route. `body`, `keys`: read a request; who is asking.
- `operations`: every ChatKit operation. `plain`: the protocol for other clients.
- `turn_routes`, `sse`: follow, look at and cancel a turn.
- `errors`, `health`, `cors`: error answers, `/healthz` and `/readyz`, allowed origins.
- `client.js`: the script for pages.
"""
