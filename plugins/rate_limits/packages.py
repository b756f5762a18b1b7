"""Says which packages to install, before anything imports them."""

from __future__ import annotations

from importlib.util import find_spec

from chatkit_server import SettingsError

NEEDED = ("limits", "redis")

_MISSING = [name for name in NEEDED if find_spec(name) is None]

if _MISSING:
    raise SettingsError(
        f"not installed: {', '.join(_MISSING)}. Run `pip install 'chatkit-server[redis]'`"
    )
