"""What is in a chunk of an answer, in whatever form its server puts it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .thoughts import DETAILS, FIELDS, PIECES, TAGS, text_of

log = logging.getLogger(__name__)

_KNOWN = {
    *FIELDS,
    *DETAILS,
    "annotations",
    "audio",
    "content",
    "extra_content",
    "function_call",
    "images",
    "name",
    "provider_specific_fields",
    "reasoning_signature",
    "refusal",
    "role",
    "text",
    "tool_calls",
    "tool_call_id",
    "token_ids",
    "prefix",
}

_PLAIN = {"content", "role"}
_BESIDE = {"citations", "search_results"}
"""What a chunk may have beside its choices and the usage."""


@dataclass(slots=True)
class Delta:
    """The parts of a chunk, all of them empty by default.

    `thought` was found in the field `thought_field`. `details` are reasoning as objects, by the
    name of their field. `calls` are the raw pieces of tool calls, `images` are URLs, `citations`
    have `url`, and `title`, `start_index` and `end_index` if they are known. With `whole`, this is
    a message that repeats what came before.
    """

    text: str = ""
    thought: str = ""
    thought_field: str = ""
    refusal: str = ""
    details: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[Any] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    audio: list[str] = field(default_factory=list)
    citations: list[Mapping[str, Any]] = field(default_factory=list)
    finish: str = ""
    usage: Mapping[str, Any] | None = None
    whole: bool = False


def read_chunk(chunk: Mapping[str, Any]) -> Delta:
    """Return what is in a chunk, or in an answer that is one JSON object.

    Of several choices, only the first is read: the one with the index 0, or without an index.
    Raises `AttributeError` for a choice that is no object.
    """
    found = _simple(chunk)
    if found is not None:
        return found
    found = Delta()
    usage = chunk.get("usage")
    found.usage = usage if isinstance(usage, dict) and usage else None
    found.citations += _sources(chunk)
    choice = _choice(chunk.get("choices"))
    if choice is None:
        return found
    if found.usage is None and isinstance(choice.get("usage"), dict):
        # Moonshot's place for it
        found.usage = choice["usage"]
    finish = choice.get("finish_reason")
    found.finish = finish if isinstance(finish, str) else ""
    delta = choice.get("delta")
    if delta is None and choice.get("message") is not None:
        delta, found.whole = choice["message"], True
    if delta is None or (not delta and "text" in choice):
        delta = {"content": choice.get("text")}
    if not isinstance(delta, dict):
        delta = {"content": delta}
    _read(delta, found)
    return found


def _simple(chunk: Mapping[str, Any]) -> Delta | None:
    """Return what is in a chunk of the commonest kind: text, a finish reason, or the usage."""
    usage = chunk.get("usage") or None
    if chunk.keys() & _BESIDE or not isinstance(usage, dict | None):
        return None
    choices = chunk.get("choices")
    if choices == []:
        return Delta(usage=usage)
    if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
        return None
    choice = choices[0]
    delta, finish = choice.get("delta"), choice.get("finish_reason")
    if type(delta) is not dict or not delta.keys() <= _PLAIN or choice.get("index"):
        return None
    if "usage" in choice:
        return None
    text = delta.get("content")
    if not isinstance(text, str | None) or not isinstance(finish, str | None):
        return None
    return Delta(text=text or "", finish=finish or "", usage=usage)


def _choice(choices: Any) -> Mapping[str, Any] | None:
    for choice in choices if isinstance(choices, list) else [choices]:
        if choice and str(choice.get("index") or 0) in ("0", "0.0"):
            return choice  # type: ignore[no-any-return]
    return None


def _read(delta: Mapping[str, Any], found: Delta) -> None:
    _read_content(delta.get("content"), found)
    if _is_thought(delta):
        found.thought += _untagged(found.text)
        found.text = ""
    for name in FIELDS:
        if not found.thought and (thought := text_of(delta.get(name))):
            found.thought, found.thought_field = thought, name
    for name in DETAILS:
        details = delta.get(name)
        if isinstance(details, list) and details:
            found.details[name] = details
            if not found.thought and (thought := text_of(details)):
                found.thought, found.thought_field = thought, name
    found.refusal = text_of(delta.get("refusal"))
    calls = delta.get("tool_calls")
    found.calls += calls if isinstance(calls, list) else [calls] if calls else []
    if isinstance(legacy := delta.get("function_call"), dict):
        found.calls.append({"function": legacy})
    for image in _listed(delta.get("images")):
        _read_image(image, found)
    if audio := delta.get("audio"):
        found.audio.append(text_of(audio.get("transcript")) if isinstance(audio, dict) else "")
    found.citations += [c for one in _listed(delta.get("annotations")) if (c := _citation(one))]
    if unknown := [key for key, value in delta.items() if value and key not in _KNOWN]:
        log.debug("parts of an answer are not shown: %.200s", ", ".join(map(str, unknown)))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _read_content(content: Any, found: Delta) -> None:
    if isinstance(content, str):
        found.text += content
    elif isinstance(content, list):
        for piece in content:
            _read_content(piece, found)
    elif isinstance(content, dict):
        _read_piece(content, found)
    elif content is not None:
        found.text += json.dumps(content)


def _read_piece(piece: Mapping[str, Any], found: Delta) -> None:
    kind = piece.get("type")
    if kind in PIECES or (kind is None and "thinking" in piece):
        found.thought += text_of(piece)
        found.thought_field = "content"
    elif kind in ("image_url", "image", "output_image") or _inline(piece):
        _read_image(piece, found)
    elif kind == "refusal":
        found.refusal += text_of(piece.get("refusal"))
    elif isinstance(kind, str) and "audio" in kind:
        found.audio.append(text_of(piece.get("transcript")))
    elif isinstance(kind, str) and kind in ("reference", "tool_reference"):
        # Mistral's numbers of the sources, which come as citations too
        log.debug("a reference of an answer is not shown")
    elif text := text_of(piece.get("text", piece.get("content"))):
        found.text += text
    elif kind not in ("text", "output_text"):
        log.debug("a part of an answer is not shown: %.100s", kind)


def _inline(piece: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return Gemini's inline data, if a piece is that."""
    inline = piece.get("inline_data") or piece.get("inlineData")
    return inline if isinstance(inline, dict) else None


def _read_image(image: Any, found: Delta) -> None:
    url = image
    if isinstance(image, dict):
        url = image.get("image_url") or image.get("url")
        if isinstance(url, dict):
            url = url.get("url")
        data = _inline(image) or image
        encoded = data.get("data") or data.get("b64_json")
        if not url and isinstance(encoded, str):
            kind = data.get("mime_type") or data.get("mimeType") or "image/png"
            url = f"data:{kind};base64,{encoded}"
    if isinstance(url, str) and url.startswith(("data:audio", "data:video")):
        found.audio.append("")
    elif isinstance(url, str) and url.startswith(("data:image/", "https://", "http://")):
        found.images.append(url)
    else:
        log.debug("an image of an answer is not shown: it has no address and no data")


def _is_thought(delta: Mapping[str, Any]) -> bool:
    """Whether Gemini marks this delta's content as a thought."""
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return isinstance(google, dict) and bool(google.get("thought"))


def _untagged(text: str) -> str:
    for opener, closer in TAGS.items():
        text = text.removeprefix(opener).removesuffix(closer)
    return text


def _sources(chunk: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the sources that Perplexity, xAI and others give beside the choices."""
    found = [c for one in _listed(chunk.get("citations")) if (c := _citation(one))]
    titles = {
        one["url"]: one.get("title")
        for one in _listed(chunk.get("search_results"))
        if isinstance(one, dict) and isinstance(one.get("url"), str)
    }
    if not found:
        found = [{"url": url} for url in titles]
    return [{**one, "title": one.get("title") or titles.get(one["url"])} for one in found]


def _citation(raw: Any) -> Mapping[str, Any] | None:
    """Return a citation of whatever shape, None if it has no address on the web."""
    inner = raw.get("url_citation", raw) if isinstance(raw, dict) else {"url": raw}
    url = inner.get("url") if isinstance(inner, dict) else None
    if not isinstance(url, str) or not url.startswith(("http://", "https://")):
        log.debug("a citation is not shown: it has no address on the web")
        return None
    title = inner.get("title")
    found: dict[str, Any] = {"url": url, "title": title if isinstance(title, str) else None}
    for name in ("start_index", "end_index"):
        if isinstance(inner.get(name), int):
            found[name] = inner[name]
    return found
