"""What editors say of each setting: the tables of docs/settings.md, for the JSON Schema.

`python -m tests.descriptions` writes chatkit_server/settings/descriptions.json.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import chatkit_server
from tests.documents import rows, section

ROOT = Path(chatkit_server.__file__).parent
FILE = ROOT / "settings" / "descriptions.json"

_HEADING = re.compile(r"^### `(.*)`$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def text() -> str:
    """Return the file as it should be: the meaning of each key, by section."""
    document = (ROOT.parent / "docs" / "settings.md").read_text()
    described = {
        name: {
            row[0].strip("`"): _LINK.sub(r"\1", row[2]).replace("\\|", "|")
            for row in rows(section("settings.md", f"### `{name}`"))
        }
        for name in _HEADING.findall(document)
    }
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
