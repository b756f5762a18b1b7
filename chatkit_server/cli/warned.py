"""Where Python is told to raise warnings, as by `PYTHONWARNINGS=error`, libraries still work."""

from __future__ import annotations

import re
import sys
import warnings
from typing import Any, cast

from ..plugin.origin import packages

OWN = ("chatkit_server", "chatkit_plugins")


def show_warnings_of_libraries() -> None:
    """Show the warnings of libraries that would be raised: some warn as they are imported.

    Those of the server, and of plugins that are not installed, are raised as asked for.
    """
    if all(action != "error" for action, *_ in warnings.filters):
        return
    others = {*sys.stdlib_module_names, *packages()}.difference(OWN)
    library = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(others)))})(?:\\.|$)")
    filters = cast(list[Any], warnings.filters)
    for at, (action, message, category, module, line) in reversed([*enumerate(filters)]):
        if action == "error" and module is None:
            filters.insert(at, ("default", message, category, library, line))
