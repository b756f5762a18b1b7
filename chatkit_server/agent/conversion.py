"""A model's images and sources as ChatKit shows them, by the turn's `stream_converter`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable
from functools import cache
from typing import Any

from agents import ImageGenerationTool, Tool
from chatkit.agents import ResponseStreamConverter
from chatkit.errors import CustomStreamError, StreamError
from chatkit.types import Annotation
from openai.types.responses.response_output_text import Annotation as ResponsesAnnotation
from pydantic import BaseModel, TypeAdapter, ValidationError

from ..errors import ServerError
from ..plugin.call import PluginFailed
from ..records import log_error, repeats
from ..turn import Turn

log = logging.getLogger(__name__)

_DEFAULT = ResponseStreamConverter()

_ADDRESSES = ("data:image/", "https://", "http://")
"""How an image begins that is not the Base64 of a PNG: chat-completions servers send all kinds."""

_METHODS = {
    "file_citation": "file_citation_to_annotation",
    "container_file_citation": "container_file_citation_to_annotation",
    "url_citation": "url_citation_to_annotation",
}
_MEANT = (ServerError, CustomStreamError, StreamError)
"""Errors with words for the user."""


class Conversion:
    """Converts what a model streams. A plugin's converter that fails is logged, and ends the turn.

    `tools` are those of the agent that answers.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self.tools: Iterable[Tool] = ()

    async def image_url(self, image_id: str, image: str, index: int | None = None) -> str:
        """Return the address of an image, of a partial one with its index."""
        if image.startswith(_ADDRESSES):
            head, _, data = image.partition(";base64,")
            if self._turn.stream_converter is None or not data or "," in head:
                return image
            image = data
        partial = {} if index is None else {"partial_image_index": index}
        given = {"image_id": image_id, "base64_image": image, **partial}
        url: str = await self._convert("base64_image_to_url", str, **given)
        return url

    async def progress(self, index: int) -> float:
        """Return how much of an image is there with the partial one of this index: from 0 to 1."""
        converter = self._turn.stream_converter or _DEFAULT
        if not _counts_images(converter):
            counted = ResponseStreamConverter(partial_images=self._partial_images())
            return counted.partial_image_index_to_progress(index)
        found = await self._convert("partial_image_index_to_progress", (int, float), index)
        return max(0.0, min(1.0, float(found)))

    def _partial_images(self) -> int | None:
        """Return how many partial images the agent's tool sends of each image."""
        for tool in self.tools:
            if isinstance(tool, ImageGenerationTool):
                found: Any = tool.tool_config.get("partial_images")
                return found if isinstance(found, int) else None
        return None

    async def annotation(self, raw: Any) -> Annotation | None:
        """Return an annotation of a message, None if it is not shown."""
        if getattr(raw, "type", None) not in _METHODS and not isinstance(raw, dict):
            return None
        try:
            # OpenAI's client makes objects of the wrong class, and does not check any
            found = _annotations().validate_python(_as_dict(raw))
        except ValidationError:
            log.debug("turn %s: an annotation is left out, as it is incomplete", self._turn.id)
            return None
        if found.type not in _METHODS:
            return None
        converted: Annotation | None = await self._convert(
            _METHODS[found.type], (Annotation, type(None)), found
        )
        return converted

    async def _convert(self, method: str, expected: Any, *args: Any, **kwargs: Any) -> Any:
        """Ask the converter. Raises `PluginFailed` for a plugin's that fails."""
        converter = self._turn.stream_converter or _DEFAULT
        try:
            found = getattr(converter, method)(*args, **kwargs)
            if inspect.isawaitable(found):
                found = await found
            if not isinstance(found, expected):
                raise TypeError(f"it returned a value of the type {type(found).__name__}")
        except _MEANT:
            raise
        except Exception as error:
            self._log(f"{type(converter).__name__}.{method}", error)
            raise PluginFailed from error
        return found

    def _log(self, called: str, error: Exception) -> None:
        what = "a plugin's `turn.stream_converter` failed"
        again = repeats(f"{called}: {type(error).__name__}", f"turn: {what}", self._turn.id)
        log_error(
            log, logging.ERROR, error, f"turn %s: {what}: %s", self._turn.id, called, extra=again
        )


def _counts_images(converter: ResponseStreamConverter) -> bool:
    """Whether a converter knows the progress of an image itself."""
    method = getattr(type(converter), "partial_image_index_to_progress", None)
    is_own = method is not ResponseStreamConverter.partial_image_index_to_progress
    return is_own or converter.partial_images is not None


def _as_dict(raw: Any) -> Any:
    if isinstance(raw, BaseModel):
        return raw.model_dump(warnings=False)
    return raw if isinstance(raw, dict) else vars(raw)


@cache
def _annotations() -> TypeAdapter[Any]:
    return TypeAdapter(ResponsesAnnotation)
