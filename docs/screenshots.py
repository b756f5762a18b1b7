"""Take the screenshots of docs/chat-page.md: `python docs/screenshots.py [NAME...]`.

Each is of the real page in Chromium, against a real server with the showcase, and is written to
docs/images/chat-page as WebP. The page has to be built, and the extra `test` installed. What each
shows is in `docs/scenes.py`.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.async_api import Browser, async_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from docs.scenes import SCENES, Scene  # noqa: E402
from tests.page.browsing import RECORD, ChatPage, Troubles  # noqa: E402
from tests.page.site import Site, open_site  # noqa: E402

IMAGES = HERE / "images/chat-page"
LARGEST = 60_000
"""Bytes of a screenshot, at most."""


async def take(browser: Browser, site: Site, name: str, scene: Scene) -> None:
    """Open a tab, have the scene played there, and keep what it shows."""
    width, height = scene.size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale="en-GB",
        timezone_id="UTC",
        reduced_motion="reduce",
        extra_http_headers={"X-User": name},
        **scene.context,
    )
    await context.add_init_script(RECORD)
    page = await context.new_page()
    chat = ChatPage(page, site, name, Troubles(site))
    await page.goto(f"{site.url}/test/chat")
    await page.wait_for_function("() => !!customElements.get('open-chatkit')")
    await chat.element.evaluate("(element) => { element.style.blockSize = '100dvh' }")
    await chat.options(scene.script, **scene.options)
    await scene.play(chat)
    await page.evaluate("() => document.fonts.ready.then(() => null)")
    shot = await page.screenshot(animations="disabled", caret="hide")
    await context.close()
    _keep(name, shot)


def _keep(name: str, shot: bytes) -> None:
    image = Image.open(io.BytesIO(shot)).convert("RGB")
    file = IMAGES / f"{name}.webp"
    for quality in (85, 70, 55):
        image.save(file, "WEBP", quality=quality, method=6)
        if file.stat().st_size <= LARGEST:
            break
    print(f"{file.stat().st_size:6} {file.name}", flush=True)


async def main(names: list[str]) -> None:
    """Take these screenshots, or all of them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    command = shutil.which("chromium") or shutil.which("chromium-browser")
    with TemporaryDirectory() as folder:
        async with open_site(Path(folder)) as site, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=command, args=["--no-sandbox", "--disable-gpu"]
            )
            for name in names or SCENES:
                try:
                    await take(browser, site, name, SCENES[name])
                except Exception as error:
                    print(f"{name}: {error}", file=sys.stderr, flush=True)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
