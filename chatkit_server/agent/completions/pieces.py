"""Joins the pieces of text, of reasoning, and of what is written for tools, where many come."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from .parser import Chunk, only_delta

FROM = 16
"""Chunks at once, from which on they are joined: the others keep the pace of the model."""

_CALL = "tool call "
"""Before the index of a tool call, the name of its arguments among the texts of a chunk."""


def joined(chunks: list[Chunk]) -> list[Chunk]:
    """Return chunks with those joined that are pieces of the same texts.

    The SDK takes up to half a millisecond for each chunk, and each text on the fast path becomes an
    event. A model that writes faster than that makes no more of them for it.
    """
    if len(chunks) < FROM:
        return chunks
    result: list[Chunk] = []
    for names, group in groupby(map(_Pieces.of, chunks), _Pieces.names):
        pieces = list(group)
        if names and len(pieces) > 1:
            result.append(pieces[0].followed_by(pieces[1:]))
        else:
            result += (piece.chunk for piece in pieces)
    return result


class _Pieces(NamedTuple):
    """A chunk, and its texts that continue those of the chunk before: none if it has more."""

    chunk: Chunk
    texts: dict[str, str]

    @classmethod
    def of(cls, chunk: Chunk) -> _Pieces:
        delta = None if chunk.get("error") else only_delta(chunk)
        texts: dict[str, str] = {}
        for field, value in (delta or {}).items():
            match field, value:
                case (_, None | "" | []) | ("role", _):
                    pass
                case "content" | "reasoning" | "reasoning_content", str(text):
                    texts[str(field)] = text
                case "tool_calls", [{"index": int(index), "function": {"arguments": str(text)}}]:
                    [call] = value
                    if call.get("id") or call["function"].get("name"):
                        return cls(chunk, {})
                    texts[f"{_CALL}{index}"] = text
                case _:
                    return cls(chunk, {})
        return cls(chunk, texts)

    def names(self) -> list[str]:
        return sorted(self.texts)

    def followed_by(self, others: list[_Pieces]) -> Chunk:
        [choice] = self.chunk["choices"]
        delta = dict(choice["delta"])
        for name in self.texts:
            whole = "".join(piece.texts[name] for piece in (self, *others))
            if name.startswith(_CALL):
                [call] = delta["tool_calls"]
                function = {**call["function"], "arguments": whole}
                delta["tool_calls"] = [{**call, "function": function}]
            else:
                delta[name] = whole
        return {**self.chunk, "choices": [{**choice, "delta": delta}]}
