"""Answers with more than text: sources, images, notices, and what the page does for them."""

from __future__ import annotations

from agents import RunContextWrapper, function_tool
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageItem,
    ClientEffectEvent,
    EntitySource,
    GeneratedImage,
    GeneratedImageItem,
    GeneratedImageUpdated,
    NoticeEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemUpdatedEvent,
    UserMessageTagContent,
)

from chatkit_server import Turn

from .pace import work
from .picture import SIZE, sunset
from .progress import BOOK, PAGE

SHOP = EntitySource(
    id="shop_1",
    title="Tea shop",
    icon="map-pin",
    label="Place",
    inline_label="the shop",
    interactive=True,  # the page's `entities.onClick` and `onRequestPreview` get it
    data={"street": "Leaf Lane"},
)


@function_tool
async def cite(ctx: RunContextWrapper[Turn]) -> str:
    """Look up how to make tea, and cite a page, a file and a thing of your own."""
    for source in (PAGE, BOOK, SHOP):
        ctx.context.cite(source)
    return "Green tea needs water of 80 degrees, and three minutes."


@function_tool
async def draw(ctx: RunContextWrapper[Turn]) -> str:
    """Draw a sunset. The user sees it grow."""
    turn = ctx.context
    item = turn.new_item(GeneratedImageItem)
    await turn.stream(ThreadItemAddedEvent(item=item))
    for rows in (16, 32, 48):
        await work()
        image = GeneratedImage(id=item.id, url=sunset(rows))
        update = GeneratedImageUpdated(image=image, progress=rows / SIZE)
        await turn.stream(ThreadItemUpdatedEvent(item_id=item.id, update=update))
    await work()
    image = GeneratedImage(id=item.id, url=sunset())
    await turn.stream(ThreadItemDoneEvent(item=item.model_copy(update={"image": image})))
    return "A sunset."


@function_tool
async def notice(ctx: RunContextWrapper[Turn]) -> str:
    """Show the user notices. They are not stored."""
    turn = ctx.context
    await turn.stream(NoticeEvent(level="info", message="The shop opens at **nine**."))
    await turn.stream(NoticeEvent(level="warning", title="Few left", message="Assam runs out."))
    await turn.stream(NoticeEvent(level="danger", message="The kettle is hot."))
    return "You have three notices."


@function_tool
async def effect(ctx: RunContextWrapper[Turn]) -> str:
    """Have the page throw confetti. Its `onEffect` does it, and answers nothing."""
    await ctx.context.stream(ClientEffectEvent(name="confetti", data={"colour": "gold"}))
    return "Hooray!"


@function_tool
async def change_your_mind(ctx: RunContextWrapper[Turn]) -> str:
    """Say something, and take it back."""
    turn = ctx.context
    content = [AssistantMessageContent(text="Coffee is better than tea.")]
    item = turn.new_item(AssistantMessageItem, content=content)
    await turn.stream(ThreadItemDoneEvent(item=item))
    await work()
    await turn.stream(ThreadItemRemovedEvent(item_id=item.id))
    return "Tea is better than coffee."


@function_tool
async def what_did_i_send(ctx: RunContextWrapper[Turn]) -> str:
    """Tell the user what came with the message: tags, a quote, a tool and a model."""
    message = ctx.context.message
    assert message is not None
    tags = [part for part in message.content if isinstance(part, UserMessageTagContent)]
    options = message.inference_options
    lines = [
        *(f"You tagged {tag.text}: {tag.id}, {tag.data}." for tag in tags),
        *(f"You attached {attachment.name}." for attachment in message.attachments),
        f"You quoted “{message.quoted_text}”." if message.quoted_text else "You quoted nothing.",
        f"You picked the tool {options.tool_choice.id}." if options.tool_choice else "No tool.",
        f"You picked the model {options.model}." if options.model else "No model.",
    ]
    return "\n".join(lines)


ANSWERS = [cite, draw, notice, effect, change_your_mind, what_did_i_send]
