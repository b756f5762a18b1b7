"""A chat with this server, at `GET /`, and the element `<open-chatkit>` for other pages."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from chatkit_server import hookimpl

BUILT = Path(__file__).parent / "built"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; media-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "require-trusted-types-for 'script'; trusted-types lit-html dompurify"
)


@hookimpl
def setup(app: web.Application) -> None:
    app.router.add_get("/", page)
    for path in sorted(BUILT.rglob("*")):
        if path.is_file() and path.name != "page.html":
            app.router.add_get(f"/{path.relative_to(BUILT)}", static(path))


async def page(request: web.Request) -> web.StreamResponse:
    body = (BUILT / "page.html").read_bytes()
    return web.Response(
        body=body, content_type="text/html", headers={"Content-Security-Policy": CSP}
    )


def static(path: Path):  # type: ignore[no-untyped-def]
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return handle
