"""A model for llama.cpp that says what a script says: each token depends on the last one alone.

The templates end a prompt with `~` after what a user said, and with `^` after a tool's answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

SCRIPT = (
    (
        *("~", "<think>\n", "I should", " look", ".", " \n</think>\n\n", "Let me", " see", ".\n"),
        *(
            "<tool_call>\n",
            '{"name": "',
            "weather",
            '", "argu',
            'ments": {"ci',
            'ty": "Os',
            'lo"}}',
        ),
        *("\n</tool_call>", "</s>"),
    ),
    (
        "^",
        "<think>\n\n",
        "Now",
        " I know.",
        "\n</think>\n\n\n",
        "It",
        " is",
        " sunny",
        " ☀",
        "️.",
        "</s>",
    ),
)
"""Tokens that follow each other; no token may be followed by different ones."""

_NORMAL, _UNKNOWN, _CONTROL, _BYTE = 1, 2, 3, 6
_HEAD = 32
_CONTEXT = 16_384
_UNLIKELY = -1e6
"""The score of the script's tokens, so that nothing else is split into them."""


def write_model(file: Path, template: str) -> None:
    """Write a model with this chat template, as GGUF."""
    gguf, numpy = import_module("gguf"), import_module("numpy")
    tokens, types = _vocabulary()
    size = len(tokens)
    width = -(-size // _HEAD) * _HEAD
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_HEAD)
    writer.add_head_count(width // _HEAD)
    writer.add_head_count_kv(width // _HEAD)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(size)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_types(types)
    written = set(_written())
    writer.add_token_scores([_UNLIKELY if token in written else 0.0 for token in tokens])
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index("</s>"))
    writer.add_unk_token_id(tokens.index("<unk>"))
    writer.add_add_space_prefix(False)
    writer.add_chat_template(template)
    for name, tensor in _tensors(numpy, tokens, width):
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _vocabulary() -> tuple[list[str], list[int]]:
    """Return the tokens, and the type of each: all bytes, what can be typed, and the script."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [_UNKNOWN, _CONTROL, _CONTROL, *[_BYTE] * 256]
    typed = [_spaced(chr(code)) for code in range(32, 127)]
    told = [token for token in _written() if token not in (*tokens, *typed)]
    return [*tokens, *typed, *told], [*types, *[_NORMAL] * (len(typed) + len(told))]


def _written() -> list[str]:
    """Return the script's tokens of more than one character, once each."""
    found = dict.fromkeys(_spaced(token) for chain in SCRIPT for token in chain)
    return [token for token in found if len(token) > 1 and token != "</s>"]


def _spaced(token: str) -> str:
    return token.replace(" ", "\N{LOWER ONE EIGHTH BLOCK}")


def _tensors(numpy: Any, tokens: list[str], width: int) -> Iterator[tuple[str, Any]]:
    """Yield the weights: a token's embedding is its number, and the layer adds nothing to it."""
    size = len(tokens)
    following = {
        tokens.index(_spaced(token)): tokens.index(_spaced(after))
        for chain in SCRIPT
        for token, after in pairwise(chain)
    }
    output = numpy.zeros((size, width), numpy.float32)
    for number in range(size):
        output[following.get(number, tokens.index("</s>")), number] = 3.0
    yield "token_embd.weight", numpy.eye(size, width, dtype=numpy.float32)
    yield "output.weight", output
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        yield f"{name}.weight", numpy.ones(width, numpy.float32)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        yield f"blk.0.{name}.weight", numpy.zeros((width, width), numpy.float32)
    for name in ("ffn_gate", "ffn_up"):
        yield f"blk.0.{name}.weight", numpy.zeros((_HEAD, width), numpy.float32)
    yield "blk.0.ffn_down.weight", numpy.zeros((width, _HEAD), numpy.float32)
