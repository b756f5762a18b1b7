"""Images get addresses of the app's own; sources get titles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agents import Agent, ImageGenerationTool, Runner, TResponseInputItem
from chatkit.agents import (
    AgentContext,
    ResponseStreamConverter,
    ThreadItemConverter,
    stream_agent_response,
)
from chatkit.server import ChatKitServer
from chatkit.store import Store
from chatkit.types import (
    Annotation,
    EntitySource,
    GeneratedImageItem,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)
from openai.types.responses.response_output_text import AnnotationURLCitation

from ..memory_store import MemoryStore

StudioContext = AgentContext[dict[str, Any]]
PARTIAL_IMAGES = 2

studio_agent = Agent[StudioContext](
    name="Studio",
    model="gpt-4.1-mini",
    instructions="Draw.",
    tools=[
        ImageGenerationTool({"type": "image_generation", "partial_images": PARTIAL_IMAGES}),
    ],
)


class StudioStreamConverter(ResponseStreamConverter):
    """Keeps images, and gives them addresses."""

    def __init__(self, images: dict[str, str]) -> None:
        super().__init__(partial_images=PARTIAL_IMAGES)
        self.images = images

    async def base64_image_to_url(
        self, image_id: str, base64_image: str, partial_image_index: int | None = None
    ) -> str:
        version = "final" if partial_image_index is None else partial_image_index
        url = f"https://studio.example/{len(self.images)}/{version}.png"
        self.images[url] = base64_image
        return url

    async def url_citation_to_annotation(
        self, url_citation: AnnotationURLCitation
    ) -> Annotation | None:
        if "private" in url_citation.url:
            return None
        source = EntitySource(id=url_citation.url, title=url_citation.title.upper())
        return Annotation(source=source, index=url_citation.start_index)


class StudioConverter(ThreadItemConverter):
    """Sends the bytes of a generated image, as its address is not public."""

    def __init__(self, images: dict[str, str]) -> None:
        self.images = images

    async def generated_image_to_input(
        self, item: GeneratedImageItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        if item.image is None:
            return None
        url = f"data:image/png;base64,{self.images[item.image.url]}"
        return {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_image", "detail": "auto", "image_url": url}],
        }


class StudioServer(ChatKitServer[dict[str, Any]]):
    """Draws what it is asked for."""

    def __init__(self, store: Store[dict[str, Any]] | None = None) -> None:
        super().__init__(store or MemoryStore())
        self.images: dict[str, str] = {}
        self.converter = StudioConverter(self.images)
        self.stream_converter = StudioStreamConverter(self.images)

    async def respond(
        self,
        thread: ThreadMetadata,
        input_user_message: UserMessageItem | None,
        context: dict[str, Any],
    ) -> AsyncIterator[ThreadStreamEvent]:
        page = await self.store.load_thread_items(thread.id, None, 20, "desc", context)
        told = await self.converter.to_agent_input(list(reversed(page.data)))
        agent_context = StudioContext(thread=thread, store=self.store, request_context=context)
        result = Runner.run_streamed(studio_agent, told, context=agent_context)
        async for event in stream_agent_response(
            agent_context, result, converter=self.stream_converter
        ):
            yield event
