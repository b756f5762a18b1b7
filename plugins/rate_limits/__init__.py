"""Limits for all processes of a deployment: turns at once, requests per window, tokens per day.

They are counted in Redis, or without it in each process. The plugin needs the packages of the extra
`redis`.

- `config`: the settings. `plugin`: the hooks. `refusals`: what users are told.
- `windows`: requests and tokens, counted by the library `limits`. `local`: its counts in memory.
- `usage`: the tokens of a turn.
- `leases`: the turns that run in all processes.
- `connection`: a client for a URL, and what is wrong with it. `link`: whether Redis answers.
"""

from __future__ import annotations

from .config import Config
from .packages import NEEDED
from .plugin import Plugin

__all__ = ["NEEDED", "Config", "Plugin"]
