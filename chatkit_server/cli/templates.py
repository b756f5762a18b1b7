"""Write files from the folder `template`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from ..errors import SettingsError


def write(root: Path, given: Mapping[str, str], names: Mapping[str, str] | None = None) -> None:
    """Write files below `root`, each given with its template, and never overwrite one.

    `names` are words that are replaced in the text. Raises `SettingsError` if a file is there
    already, before anything is written, or if something cannot be written.
    """
    existing = [name for name in given if (root / name).exists()]
    if existing:
        raise SettingsError(
            f"{root.absolute()} already has {' and '.join(existing)}; nothing was written"
        )
    try:
        for name, template in given.items():
            text = (files("chatkit_server.cli") / "template" / template).read_text("utf-8")
            if names:
                text = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[0]], text)
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            # Mode x never overwrites, whatever happened since the check
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
    except OSError as error:
        raise SettingsError(f"cannot write into {root.absolute()}: {error}") from None
