"""What the user sees while the assistant works, and when it fails."""

from __future__ import annotations

from agents import RunContextWrapper, function_tool
from chatkit.errors import CustomStreamError
from chatkit.types import (
    CustomSummary,
    CustomTask,
    FileSource,
    FileTask,
    ImageTask,
    ProgressUpdateEvent,
    SearchTask,
    StreamOptions,
    StreamOptionsEvent,
    Task,
    TaskItem,
    ThoughtTask,
    ThreadItemDoneEvent,
    URLSource,
    Workflow,
)

from chatkit_server import Turn

from .pace import work

PAGE = URLSource(title="All about tea", url="https://example.com/tea", attribution="example.com")
BOOK = FileSource(title="The tea book", filename="tea.pdf", description="Chapter 3")
TASKS: list[Task] = [
    SearchTask(title="Searched the web", queries=["tea", "how to brew"], sources=[PAGE]),
    FileTask(title="Read a book", sources=[BOOK]),
    ImageTask(title="Looked at a picture of a teapot"),
    ThoughtTask(title="Thought about it", content="Green tea needs **less** heat."),
    CustomTask(title="Asked a friend", content="She prefers Assam.", icon="phone"),
]


@function_tool
async def think(ctx: RunContextWrapper[Turn]) -> str:
    """Think before answering, and let the user read the thoughts."""
    turn = ctx.context
    await turn.start_workflow(Workflow(type="reasoning", tasks=[]))
    for thought in ("Which tea is best?", "That depends on the water.", "And on the time of day."):
        await turn.add_workflow_task(ThoughtTask(content=thought))
        await work()
    await turn.end_workflow()  # its summary is how long it took
    return "It depends."


@function_tool
async def use_tools(ctx: RunContextWrapper[Turn]) -> str:
    """Work with many tools, and show each as a task of a workflow."""
    turn = ctx.context
    await turn.start_workflow(Workflow(type="custom", tasks=[], expanded=True))
    for place, task in enumerate(TASKS):
        await turn.add_workflow_task(task.model_copy(update={"status_indicator": "loading"}))
        await work()
        done = task.model_copy(update={"status_indicator": "complete"})
        await turn.update_workflow_task(done, place)
    await turn.end_workflow(CustomSummary(title="Learned about tea", icon="book-open"))
    return "Now I know all about tea."


@function_tool
async def show_task(ctx: RunContextWrapper[Turn]) -> str:
    """Show a single task, without a workflow."""
    item = ctx.context.new_item(TaskItem, task=TASKS[0])
    await ctx.context.stream(ThreadItemDoneEvent(item=item))
    return "I have looked it up."


@function_tool
async def slow(ctx: RunContextWrapper[Turn]) -> str:
    """Take a while, and say how far it is. Nothing of that is stored."""
    for step in range(1, 11):
        text = f"Counting leaves: {step} of 10"
        await ctx.context.stream(ProgressUpdateEvent(text=text, icon="clock"))
        await work()
    return "There are ten leaves."


@function_tool
async def pay(ctx: RunContextWrapper[Turn]) -> str:
    """Pay for the tea: the page shows no Stop button, and a closed page stops nothing."""
    options = StreamOptions(allow_cancel=False)
    await ctx.context.stream(StreamOptionsEvent(stream_options=options))
    await work()
    return "Paid."


@function_tool(failure_error_function=None)
async def fail(ctx: RunContextWrapper[Turn]) -> str:
    """End the answer with an error that the user reads."""
    await ctx.context.stream(ProgressUpdateEvent(text="Filling the kettle"))
    raise CustomStreamError("The kettle is empty. Fill it, and try again.", allow_retry=True)


PROGRESS = [think, use_tools, show_task, slow, pay, fail]
