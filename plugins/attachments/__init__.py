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

from .config import Config
from .packages import NEEDED
from .plugin import Plugin

__all__ = ["NEEDED", "Config", "Plugin"]
