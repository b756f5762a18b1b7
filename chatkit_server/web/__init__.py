"""HTTP in and out.

- `chat`: the chat's own route. `body`, `keys`: read a request; find out who sent it.
- `operations`: every ChatKit operation. `plain`, `plain_wire`: the protocol for other clients.
- `turn_routes`, `sse`: follow, inspect and cancel a turn. `endings`: how responses end.
- `start_routes`, `starting`, `started`: turns without a page. `posting`: the server's own items.
  `arguments`: what plugins give to these.
- `asgi`: applications of other frameworks beside the chat. `expect`: who waits to send a body.
- `errors`, `refusals`, `malformed`: error responses, and their lines in the log.
- `connections`, `head`, `admission`, `addresses`: limits of connections and requests, of
  strangers too.
- `health`: `/healthz` and `/readyz`. `cors`, `origins`: which pages may call the server.
- `client.js`, `client.d.ts`: the script for pages, and its types.
"""
