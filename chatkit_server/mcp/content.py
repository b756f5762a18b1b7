"""What a tool of an MCP server returns, as parts that models take: texts and pictures.

A part of another kind is told in words. A part that is not as MCP has it is read as far as
possible: the client libraries would refuse the whole result for it.
"""

from __future__ import annotations

import json
from typing import Any

from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import TypeAdapter, ValidationError

_BLOCK: TypeAdapter[ContentBlock] = TypeAdapter(ContentBlock)
_KEYS = ("content", "structuredContent", "toolResult")

_TYPES = {"text": "text", "data": "image", "resource": "resource", "uri": "resource_link"}
"""Fields by which a part without a type is known."""

_NAME = 200
_URI = 500
_WORD = 200
"""Characters without a space that are told of a part of an unknown type: more may be Base64."""


def mend(result: dict[str, Any]) -> None:
    """Change the result of a call, as it came, so that the client libraries read it."""
    if not any(key in result for key in _KEYS):
        return
    content = result.get("content")
    parts = content if isinstance(content, list) else [] if content is None else [content]
    parts = [_typed(part) for part in parts]
    parts = [part if _is_sound(part) else _mended(part) for part in parts]
    # `toolResult` was the name in the protocol's first versions
    structured = result.get("structuredContent", result.pop("toolResult", None))
    if structured is not None and not isinstance(structured, dict):
        result.pop("structuredContent", None)
        parts = parts or [_text(_json(structured))]
    elif structured is not None:
        result["structuredContent"] = structured
    elif not parts and not isinstance(content, list):
        parts = [_text("[The tool returned nothing.]")]
    result["content"] = parts
    if not isinstance(result.get("_meta", {}), dict):
        del result["_meta"]
    if result.get("isError", False) is None:
        del result["isError"]


def _typed(part: Any) -> Any:
    """Return a part with a type: that of the fields it has, if it has no type."""
    if not isinstance(part, dict) or isinstance(part.get("type"), str):
        return part
    kind = next((kind for field, kind in _TYPES.items() if field in part), None)
    if kind == "image" and not str(part.get("mimeType") or "image/").startswith("image/"):
        kind = "audio"
    return part if kind is None else {**part, "type": kind}


def _is_sound(part: Any) -> bool:
    try:
        _BLOCK.validate_python(part, by_name=False)
    except ValidationError:
        return False
    return True


def _mended(part: Any) -> dict[str, Any]:
    if not isinstance(part, dict):
        return _text(part if isinstance(part, str) else _json(part))
    if part.get("type") == "text":
        text = part.get("text")
        return _text(text if isinstance(text, str) else "" if text is None else _json(text))
    data, kind = part.get("data"), part.get("mimeType")
    if part.get("type") == "image" and isinstance(data, str):
        return _image(data, kind)
    return _text(in_words(part))


def readable(result: CallToolResult) -> list[ContentBlock]:
    """Return the content of a result as texts and pictures.

    Structured content is JSON for the model if there is nothing else: the protocol says that there
    is the same as text.
    """
    content = [
        part if isinstance(part, TextContent | ImageContent) else _told(part)
        for part in result.content
    ]
    if not content and result.structured_content is not None:
        content = [TextContent(type="text", text=_json(result.structured_content))]
    return content


def as_text(result: CallToolResult) -> str:
    """Return the content of a result as text: pictures only by type and size."""
    parts = readable(result)
    texts = [
        part.text if isinstance(part, TextContent) else in_words(_dump(part)) for part in parts
    ]
    return "\n".join(text for text in texts if text)


def _dump(part: ContentBlock) -> dict[str, Any]:
    return part.model_dump(mode="json", by_alias=True, exclude_none=True)


def _told(part: ContentBlock) -> ContentBlock:
    written = _dump(part)
    resource = written.get("resource", {})
    blob, kind = resource.get("blob"), resource.get("mimeType")
    if isinstance(blob, str) and isinstance(kind, str) and kind.startswith("image/"):
        return ImageContent(type="image", data=blob, mime_type=kind)
    return TextContent(type="text", text=in_words(written))


def in_words(part: dict[str, Any]) -> str:
    """Return what a part is that is neither text nor a picture; files only by type and size."""
    match part:
        case {"type": "audio" | "image", "data": str(data)}:
            return _left_out(part, data)
        case {"type": "resource_link"}:
            size = part.get("size")
            of_bytes = f"{size} bytes" if isinstance(size, int) else ""
            head = _joined(_name(part), part.get("mimeType"), of_bytes, _uri(part))
            return "\n".join(filter(None, (f"[resource: {head}]", _line(part, "description"))))
        case {"type": "resource", "resource": {"blob": str(data)} as resource}:
            return _left_out(resource, data)
        case {"type": "resource", "resource": {"text": str(text)} as resource}:
            return f"[resource: {_joined(_name(resource), _uri(resource))}]\n{text}"
    kind = str(part.get("type"))[:_NAME]
    return f"[content of the type {kind!r}, which is not known here]\n{_json(_shortened(part))}"


def _left_out(part: dict[str, Any], data: str) -> str:
    kind = part.get("mimeType")
    named = kind[:100] if isinstance(kind, str) and kind else "a file"
    place = _joined(_name(part), _uri(part))
    return f"[{named} of {len(data) * 3 // 4} bytes, left out here{': ' if place else ''}{place}]"


def _joined(*texts: Any) -> str:
    return ", ".join(text[:_URI] for text in texts if isinstance(text, str) and text)


def _name(part: dict[str, Any]) -> str:
    return (_line(part, "title") or _line(part, "name"))[:_NAME]


def _uri(part: dict[str, Any]) -> str:
    uri = _line(part, "uri")
    return uri.partition(",")[0] if uri.startswith("data:") else uri


def _line(part: dict[str, Any], key: str) -> str:
    value = part.get(key)
    return value if isinstance(value, str) else ""


def _shortened(value: Any) -> Any:
    """Return a value without what may be the bytes of a file."""
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shortened(inner) for inner in value]
    if isinstance(value, str) and len(value) > _WORD and not any(map(str.isspace, value[:_WORD])):
        return f"[{len(value)} characters, left out here]"
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(data: str, kind: Any) -> dict[str, Any]:
    return {"type": "image", "data": data, "mimeType": kind if isinstance(kind, str) else "image/*"}
