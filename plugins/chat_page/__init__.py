"""A chat with this server in the browser, and `<open-chatkit>` for the pages of others.

The page is at `/`. `/open-chatkit.js` is the element, a client for ChatKit's protocol that asks no
other host. Both need no sign-in: the requests of the chat do.

- `config`: the settings. `plugin`: the hook, and the routes.
- `page`: the HTML and its policy. `options`: what the page gives the element.
- `files`: what is served, from memory.
- `src`, `page`: the sources in TypeScript. `built`: what `npm run build` makes of them.
"""

from __future__ import annotations

from .config import Config
from .plugin import Plugin

__all__ = ["Config", "Plugin"]
