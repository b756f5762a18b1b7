"""The command line, as a test of a plugin runs it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..cli.main import main
from ..settings.load import PLUGIN_DIRS

_OTHERS = {"anonymous_auth": None, "demo_model": None, f"{__package__}.memory_store": None}
"""What a server needs beside the plugin under test. They come last, so its own go before them."""


async def run_command(*arguments: str, settings: Path | str | None = None, **sections: Any) -> int:
    """Run `chatkit-server` with these arguments in this process, and return its exit status.

    `sections` are those of a `settings.yaml`, such as `plugins={"my_plugin": {...}}`; what a server
    needs beside them is added. Or `settings` is the path of a file, which is used as it is. What
    the command writes is in pytest's `capsys`.
    """
    # In a thread, since a command has an event loop of its own
    return await asyncio.to_thread(_run, arguments, settings, sections)


def _run(arguments: Sequence[str], settings: Path | str | None, sections: dict[str, Any]) -> int:
    if settings is not None:
        if sections:
            raise TypeError(f"give `settings` or {', '.join(map(repr, sections))}, not both")
        return main([*arguments, "--settings", str(settings)])
    with TemporaryDirectory() as folder:
        file = Path(folder, "settings.yaml")
        # JSON is YAML too
        file.write_text(json.dumps(_complete(sections), default=str), "utf-8")
        return main([*arguments, "--settings", str(file)])


def _complete(sections: dict[str, Any]) -> dict[str, Any]:
    folders = [str(Path(name).absolute()) for name in PLUGIN_DIRS if Path(name).is_dir()]
    plugins = {**sections.get("plugins", {}), **_OTHERS}
    return {"plugin_dirs": folders, **sections, "plugins": plugins}
