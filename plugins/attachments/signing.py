"""Signed addresses: whoever has one may do one thing with one file, until a time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time

from .bucket import Bucket

_KEY = "secret"
"""The path of the key beside the files: the same for all processes, and after a restart."""


class Signer:
    """Signs for uploads and previews: with a secret, or with the key that `start` finds."""

    def __init__(self, secret: bytes | None) -> None:
        self._key = secret

    async def start(self, bucket: Bucket) -> None:
        """Read the key, after making one if there is none; not with a secret."""
        if self._key is not None:
            return
        key = await bucket.read(_KEY)
        if key is None:
            await bucket.create(_KEY, secrets.token_hex(32).encode())
            # Another process may have been faster
            key = await bucket.read(_KEY)
        self._key = key

    def sign(self, purpose: str, file_id: str, until: int) -> str:
        """Return the signature of an address."""
        if not self._key:
            raise RuntimeError("the server has not started: there is no key to sign with")
        text = f"chatkit attachments:{purpose}:{file_id}:{until}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def allows(self, purpose: str, file_id: str, until: str, signature: str) -> bool:
        """Whether a signature is ours, and its time is not over."""
        if not (until.isascii() and until.isdigit() and len(until) < 15):
            return False
        signed = self.sign(purpose, file_id, int(until)).encode()
        is_ours = hmac.compare_digest(signed, signature.encode(errors="replace"))
        return is_ours and time.time() < int(until)
