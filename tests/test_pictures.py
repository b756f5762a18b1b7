"""Images as phones and browsers make them, before a model gets them."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
from PIL import Image

from chatkit_server import image_for_models
from chatkit_server.agent import pictures

FILM = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8 + b"\xff\xda\x00\x0c\xff\xd9\xff\xda"


def jpeg(size: tuple[int, int] = (200, 100), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, "JPEG", **options)
    return file.getvalue()


def with_preview(photo: bytes, preview: bytes) -> bytes:
    """Return a photo with a small one in it, as cameras write them."""
    segment = b"\xff\xe1" + struct.pack(">H", 8 + len(preview)) + b"Exif\0\0" + preview
    return photo[:2] + segment + photo[2:]


PREVIEWED = with_preview(jpeg(), jpeg((40, 20)))


@pytest.mark.parametrize(
    "photo",
    [
        jpeg(),
        jpeg() + FILM,
        jpeg(progressive=True) + FILM,
        jpeg(restart_marker_rows=1) + FILM,
        PREVIEWED + FILM,
    ],
)
async def test_a_photo_may_have_a_film_after_it_and_a_preview_in_it(photo: bytes) -> None:
    assert await image_for_models(photo, 1000, 1_000_000) is photo


@pytest.mark.parametrize(
    "photo",
    [
        jpeg()[:-2],
        jpeg()[:-2] + FILM[:1000],
        jpeg(progressive=True)[:-300],
        PREVIEWED[:-500],
        b"\xff\xd8" * 100_000 + jpeg(),
    ],
)
async def test_a_photo_that_breaks_off_is_refused(photo: bytes) -> None:
    with pytest.raises(ValueError, match="image"):
        await image_for_models(photo, 1000, 1_000_000)


async def test_a_camera_may_have_more_pixels_than_other_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100 * 100)
    monkeypatch.setattr(pictures, "MOST_PIXELS_IN_LINES", 200 * 100)
    small = await image_for_models(jpeg(), 100, 1_000_000)
    assert small is not None
    with Image.open(io.BytesIO(small)) as opened:
        assert opened.size == (100, 50)
    assert await image_for_models(jpeg(progressive=True), 100, 1_000_000) is None
    assert await image_for_models(jpeg((201, 100)), 100, 1_000_000) is None


async def test_of_a_moving_image_the_first_picture_is_used() -> None:
    first, second = (Image.new("RGB", (30, 20), colour) for colour in ("red", "blue"))
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=[second])
    made = await image_for_models(file.getvalue(), 1000, 1_000_000)
    assert made is not None
    with Image.open(io.BytesIO(made)) as opened:
        assert (opened.format, opened.size) == ("PNG", (30, 20))
        assert opened.convert("RGB").getpixel((0, 0)) == (255, 0, 0)
