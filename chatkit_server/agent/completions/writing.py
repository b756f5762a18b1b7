"""The messages of a request, as an endpoint's profile demands them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..pictures import picture_name
from .call_ids import ids_of
from .messages import NO_OUTPUT, Message, Part, text_part
from .order import calls_apart, calls_as_text, in_turn, paired
from .profile import Profile

_MEDIA = {
    "image_url": "an image",
    "file": "a file",
    "input_audio": "a recording",
    "video_url": "a video",
}
_ANY_SIGNATURE = "skip_thought_signature_validator"
"""What Google's reference names for calls that another model made."""


def written(
    messages: Sequence[Message], profile: Profile, *, tools: bool = True
) -> list[dict[str, Any]]:
    """Return messages as they are sent to an endpoint; `tools` is whether the request has any."""
    return list(_Writer(profile).write(messages, tools=tools))


class _Writer:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def write(self, messages: Sequence[Message], *, tools: bool) -> Iterator[dict[str, Any]]:
        profile = self._profile
        system, body = self._without_system(messages)
        body = paired(body)
        if profile.calls == "text" or (profile.calls_need_tools and not tools):
            body = calls_as_text(body)
        elif profile.calls == "single":
            body = list(calls_apart(body))
        said = max((at for at, one in enumerate(body) if one.role == "user"), default=-1)
        everywhere = profile.reasoning_turns == "all"
        thinking = {id(one) for one in (body if everywhere else body[said + 1 :])}
        body = list(in_turn(self._with_images_moved(body), alternate=profile.alternate))
        if system is not None and profile.system == "user":
            self._put_first(system, body)
        elif system is not None:
            yield self._plain(system)
        ids = ids_of((call for one in body for call in one.calls), profile.call_ids)
        for message in body:
            if message.role == "assistant":
                yield from self._answer(message, ids, thinks=id(message) in thinking)
            else:
                yield self._plain(message)

    def _without_system(self, messages: Sequence[Message]) -> tuple[Message | None, list[Message]]:
        """Return the system messages as one, unless they stay where they are, and the others."""
        for message in messages:
            if message.role == "developer" and not self._profile.developer:
                message.role = "system"
        if self._profile.system == "anywhere":
            return None, list(messages)
        first = [one for one in messages if one.role in ("system", "developer")]
        body = [one for one in messages if one.role not in ("system", "developer")]
        parts = [part for message in first for part in message.parts]
        return (Message(first[0].role, parts) if parts else None), body

    def _put_first(self, system: Message, body: list[Message]) -> None:
        at, user = next((at, one) for at, one in enumerate(body) if one.role == "user")
        body[at] = Message("user", [*system.parts, *user.parts])

    def _with_images_moved(self, body: list[Message]) -> Iterator[Message]:
        """Yield the messages, with what media an endpoint takes, where it takes them."""
        seen: list[Part] = []
        for message in body:
            if message.role == "user":
                shown = self._profile.images is not False
                parts = [part if shown else _named(part) for part in message.parts]
                yield Message("user", [*seen, *parts])
            else:
                if seen:
                    yield Message("user", seen)
                yield message
            seen = [part for call in message.calls for part in self._media(call)]
        if seen:
            yield Message("user", seen)

    def _media(self, call: Any) -> list[Part]:
        """Return the media of a call's result that are sent after it; the result loses them."""
        result: list[Part] = call.result or []
        media = [part for part in result if part.get("type") in _MEDIA]
        if not media or (self._profile.images and self._profile.tool_answers == "parts"):
            return []
        if not self._profile.images:
            call.result = [_named(part) for part in result]
            return []
        call.result = [part for part in result if part.get("type") not in _MEDIA]
        if not call.result:
            call.result = [text_part(f"({_MEDIA[media[0]['type']]}, which follows)")]
        return [text_part(f"[From the tool {call.name}:]"), *media]

    def _plain(self, message: Message) -> dict[str, Any]:
        return {"role": message.role, "content": self._content(message.parts)}

    def _content(self, parts: list[Part], between: str = "\n\n") -> str | list[Part]:
        if self._profile.content == "parts" or any(_is_more(part) for part in parts):
            return parts
        return between.join([part["text"] for part in parts])

    def _answer(
        self, message: Message, ids: Iterator[str], *, thinks: bool
    ) -> Iterator[dict[str, Any]]:
        said: dict[str, Any] = {"role": "assistant"}
        said["content"] = self._content(message.parts) if message.parts else self._no_text
        self._think(said, message if thinks else None)
        calls = [(call, next(ids)) for call in message.calls]
        if calls:
            said["tool_calls"] = [
                {
                    "id": call_id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call, call_id in calls
            ]
            self._sign(said["tool_calls"], message)
        yield said
        for call, call_id in calls:
            result = call.result or [text_part(NO_OUTPUT)]
            content = self._content(result, "\n")
            if self._profile.tool_answers == "text" and not isinstance(content, str):
                content = "\n".join([part["text"] for part in result if "text" in part])
            elif self._profile.tool_answers == "parts" and isinstance(content, str):
                content = result
            yield {"role": "tool", "tool_call_id": call_id, "content": content}

    @property
    def _no_text(self) -> str | None:
        return "" if self._profile.empty_content else None

    def _sign(self, calls: list[dict[str, Any]], message: Message) -> None:
        """Add the signatures of thoughts; the first call of a message must have one."""
        where = self._profile.thought_signatures
        if where is None:
            return
        signatures = [call.signature for call in message.calls]
        if not any(signatures):
            signatures[0] = _ANY_SIGNATURE
        for call, signature in zip(calls, signatures, strict=True):
            if signature:
                signed: dict[str, Any] = {"thought_signature": signature}
                call[where] = {"google": signed} if where == "extra_content" else signed

    def _think(self, said: dict[str, Any], message: Message | None) -> None:
        """Add the reasoning of a message, None if this one's is not sent."""
        thought = message.thought if message is not None else ""
        details = message.details if message is not None else {}
        match self._profile.reasoning:
            case "reasoning_content" | "reasoning" as name:
                if thought or self._profile.reasoning_required:
                    said[name] = thought or " "
            case "reasoning_details":
                if found := details.get("reasoning_details"):
                    said["reasoning_details"] = found
                elif thought:
                    said["reasoning"] = thought
            case "thinking_blocks":
                blocks = details.get("thinking_blocks", ())
                # Without a signature, a thought is refused
                if signed := [{**b} for b in blocks if b.get("signature") or b.get("data")]:
                    said["thinking_blocks"] = signed
            case "content" if thought:
                inner = {"type": "thinking", "thinking": [text_part(thought)]}
                said["content"] = [inner, *_as_parts(said["content"])]
            case "tags" if thought:
                tagged = text_part(f"<think>\n{thought}\n</think>\n\n")
                parts = [tagged, *_as_parts(said["content"])]
                said["content"] = self._content(parts, "")


def _is_more(part: Part) -> bool:
    """Whether a part has more than text."""
    return len(part) != 2 or "text" not in part


def _as_parts(content: str | list[Part] | None) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return content or []


def _named(part: Part) -> Part:
    """Return a note in place of a part that is not text."""
    kind = _MEDIA.get(part.get("type", ""))
    if kind is None:
        return part
    if part["type"] == "image_url":
        kind = picture_name(part["image_url"]["url"])
    return text_part(f"[{kind}, not shown to this model]")
