"""Files that users attach: uploads in both of ChatKit's ways, previews, and what the model gets.

The bytes are in a folder, or in a bucket of S3, Google Cloud Storage or Azure. The plugin needs the
packages of the extra `attachments`.

- `config`: the settings. `plugin`: the hooks, and the parts put together.
- `bucket`, `files`: the objects, and what they are. `store`: ChatKit's `AttachmentStore`.
- `routes`, `signing`, `addresses`: uploads, downloads and previews over HTTP.
- `intake`: from bytes to a usable file. `kinds`: what it is. `extracting`, `text_of_pdf`: its text.
- `telling`: what the model gets. `sweep`: removes what nobody uses.
"""

from __future__ import annotations

from importlib.util import find_spec

from chatkit_server import SettingsError

from .config import Config

__all__ = ["Config", "Plugin"]

_MISSING = [name for name in ("obstore", "puremagic", "pypdfium2") if find_spec(name) is None]

if not _MISSING:
    from .plugin import Plugin
else:

    class Plugin:  # type: ignore[no-redef]
        """Says which packages to install."""

        def __init__(self, config: Config) -> None:
            raise SettingsError(
                f"{', '.join(_MISSING)}: not installed. Run "
                "`pip install 'chatkit-server[attachments]'`"
            )
