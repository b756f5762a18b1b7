"""The application: ChatKit's endpoint, uploads and downloads."""

from __future__ import annotations

from typing import Any

from chatkit.server import StreamingResult
from fastapi import FastAPI, File, HTTPException, Request, Response, UploadFile
from fastapi.responses import StreamingResponse

from .server import DarkroomServer

app = FastAPI(title="Darkroom")
server = DarkroomServer()


@app.post("/chatkit")
async def chatkit(request: Request) -> Response:
    result = await server.process(await request.body(), {"request": request})
    if isinstance(result, StreamingResult):
        return StreamingResponse(result, media_type="text/event-stream")
    return Response(content=result.json, media_type="application/json")


@app.post("/files/{attachment_id}/upload")
async def upload_image(attachment_id: str, file: UploadFile = File(...)) -> dict[str, Any]:  # noqa: B008
    attachment = await server.files.write(attachment_id, await file.read())
    return attachment.model_dump(mode="json", exclude_none=True, context={"exclude_metadata": True})


@app.put("/files/{attachment_id}/raw")
async def upload_text(attachment_id: str, request: Request) -> dict[str, int]:
    data = await request.body()
    await server.files.write(attachment_id, data)
    return {"size": len(data)}


@app.get("/files/{attachment_id}")
async def download(attachment_id: str) -> Response:
    if attachment_id not in server.files.files:
        raise HTTPException(404, "Not uploaded yet.")
    attachment = await server.store.load_attachment(attachment_id, {})
    return Response(server.files.files[attachment_id], media_type=attachment.mime_type)
