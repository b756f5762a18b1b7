"""The bundled attachment store does what the contract asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from chatkit.store import AttachmentStore
from chatkit.types import Attachment

from chatkit_server.storage import StoreContext
from chatkit_server.testing import open_client
from chatkit_server.testing.conformance import AttachmentStoreContract
from chatkit_server.web.keys import ATTACHMENT_STORE

Files = AttachmentStore[StoreContext]


class TestAttachments(AttachmentStoreContract):
    """In a folder, behind the server's own routes."""

    @pytest.fixture
    async def attachment_store(self, tmp_path: Path) -> AsyncIterator[Files]:
        section = {"url": str(tmp_path / "files"), "public_url": "https://chat.example.com"}
        async with open_client({"plugins": {"attachments": section}}) as client:
            self.client = client
            store = client.http.app[ATTACHMENT_STORE]
            assert store is not None
            yield store

    async def upload(
        self, attachment_store: Files, attachment: Attachment, data: bytes, context: StoreContext
    ) -> bool:
        to = attachment.upload_descriptor
        assert to is not None
        path = str(to.url).removeprefix("https://chat.example.com")
        headers = {"Content-Type": attachment.mime_type, **to.headers}
        response = await self.client.http.request(to.method, path, data=data, headers=headers)
        assert response.status == 200, await response.text()
        return True
