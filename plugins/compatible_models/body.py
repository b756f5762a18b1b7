"""The body of a response of aiohttp, as the reader of its chunks takes it."""

from __future__ import annotations

import aiohttp
import httpx2
import openai


class ResponseBody:
    """A response whose body is read as it comes."""

    failures = (aiohttp.ClientError,)

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.read = response.content.readany

    def failed(self, failure: Exception) -> Exception:
        """Return a failure of the connection as `openai` calls it."""
        return openai.APIConnectionError(request=httpx2.Request("POST", str(self._response.url)))

    def rest(self) -> bytes:
        """Return what aiohttp had received: it raises without giving that out."""
        return self._response.content._read_nowait(-1)

    async def aclose(self) -> None:
        """Close the connection, unless the answer was read to its end."""
        self._response.release()
