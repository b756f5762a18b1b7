"""Images and sources: a plugin's converter for them, their progress, and how a model sees them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from agents import Agent, ImageGenerationTool, ModelProvider
from agents.testing import ScriptedModel
from chatkit.agents import ResponseStreamConverter
from chatkit.types import Annotation, URLSource
from openai.types.responses.response_output_text import AnnotationURLCitation

from chatkit_server import Turn, TurnFailed, hookimpl
from chatkit_server.agent.memory import TurnMemory, build_memory
from chatkit_server.plugin.call import PluginFailed
from chatkit_server.testing.model_server import ModelServer
from tests.conftest import MakeChat
from tests.image_steps import image_step
from tests.recording import make_recording
from tests.serving import served_by
from tests.test_stream import CONTAINER, FILE, URL, Case, delta, message, text
from tests.test_workflows import said, thought


@pytest.fixture
async def case() -> Case:
    return Case(await make_recording())


@dataclass
class Uploads(ResponseStreamConverter):
    """Notes what it is asked, and makes addresses of its own."""

    asked: list[tuple[str, str, int | None]] = field(default_factory=list)
    partial_images: int | None = None

    async def base64_image_to_url(
        self, image_id: str, base64_image: str, partial_image_index: int | None = None
    ) -> str:
        self.asked.append((image_id, base64_image, partial_image_index))
        return f"https://images.example/{image_id}/{len(self.asked)}"

    async def url_citation_to_annotation(
        self, url_citation: AnnotationURLCitation
    ) -> Annotation | None:
        if url_citation.title == "secret":
            return None
        source = URLSource(url="https://proxy.example", title=url_citation.title)
        return Annotation(source=source, index=7)


class Draws(ModelProvider):
    """Answers with a scripted model that has a tool for images."""

    def __init__(
        self,
        model: ScriptedModel,
        converter: ResponseStreamConverter | None = None,
        partial_images: int | None = None,
    ) -> None:
        self.model = model
        self.converter = converter
        config: Any = {"type": "image_generation"}
        if partial_images is not None:
            config["partial_images"] = partial_images
        self.tool = ImageGenerationTool(tool_config=config)

    def get_model(self, model_name: str | None) -> ScriptedModel:
        return self.model

    @hookimpl
    def model_providers(self) -> dict[str, ModelProvider]:
        return {"sdk": self, "other": self}

    @hookimpl
    async def agent(self, turn: Turn) -> Agent[Turn]:
        # Chat completions know no such tool
        return Agent("a", tools=[] if turn.model == "test/any" else [self.tool])

    @hookimpl
    async def pre_turn(self, turn: Turn) -> None:
        turn.stream_converter = self.converter


SDK = {"model": "sdk/any"}


async def test_a_plugin_makes_the_addresses_of_images(make_chat: MakeChat) -> None:
    converter = Uploads()
    steps = [image_step("QUJD", ["QQ==", "QUI="], after=[said("Here")]), image_step("REVG")]
    plugin = Draws(ScriptedModel(steps), converter)
    chat = await make_chat(plugin, agent=SDK)
    streamed = await chat.say("Draw")
    assert streamed.error is None
    assert converter.asked == [("ig_1", "QQ==", 0), ("ig_1", "QUI=", 1), ("ig_1", "QUJD", None)]
    updates = [e["update"] for e in streamed.data if "image" in e.get("update", {})]
    [image] = streamed.done("generated_image")
    shown = [update["image"] for update in updates] + [image["image"]]
    urls = [f"https://images.example/ig_1/{number}" for number in (1, 2, 3)]
    assert shown == [{"id": "ig_1", "url": url} for url in urls]
    converter.asked.clear()
    await chat.say("Again", streamed.thread_id)
    assert [asked[1:] for asked in converter.asked] == [("REVG", None)]


PROGRESS: dict[str, tuple[ResponseStreamConverter | None, int | None, list[float]]] = {
    "the tool's number": (None, 4, [0, 0.25, 0.5]),
    "no number": (None, None, [0, 0, 0]),
    "fewer than come": (None, 1, [0, 1, 1]),
    "a converter without a number": (Uploads(), 2, [0, 0.5, 1]),
    "a converter's number": (Uploads(partial_images=10), 2, [0, 0.1, 0.2]),
}


@pytest.mark.parametrize(("converter", "number", "progress"), PROGRESS.values(), ids=PROGRESS)
async def test_the_progress_of_an_image(
    make_chat: MakeChat,
    converter: ResponseStreamConverter | None,
    number: int | None,
    progress: list[float],
) -> None:
    model = ScriptedModel([image_step("QUJD", ["QQ==", "QUI=", "QUJD"])])
    chat = await make_chat(Draws(model, converter, number), agent=SDK)
    streamed = await chat.say("Draw")
    updates = [e["update"] for e in streamed.data if "progress" in e.get("update", {})]
    assert [update["progress"] for update in updates] == progress


class Restless(ResponseStreamConverter):
    """Says of a progress what comes to its mind."""

    def partial_image_index_to_progress(self, partial_image_index: int) -> float:
        return (0.5, 0.2, 7.0, -1.0, float("nan"))[partial_image_index]


async def test_progress_never_goes_back(case: Case) -> None:
    case.turn.stream_converter = Restless()
    image = {"type": "image_generation_call"}
    await case.send("output_item.added", output_index=0, item=image)
    shown = []
    for index in range(5):
        partial = {"partial_image_b64": "QQ==", "partial_image_index": index}
        [told] = await case.send("image_generation_call.partial_image", output_index=0, **partial)
        shown.append(told["update"]["progress"])
    assert shown == [0.5, 0.5, 1, 1, 1]


@pytest.mark.parametrize("given", ["", "__fake_id__3", "../../etc", "x" * 200])
async def test_an_image_without_an_id_of_its_own_gets_one(case: Case, given: str) -> None:
    case.turn.stream_converter = converter = Uploads()
    image = {"type": "image_generation_call", "id": given}
    [added] = await case.send("output_item.added", output_index=0, item=image)
    data_url = "data:image/webp;base64,QUJD"
    await case.send("output_item.done", output_index=0, item={**image, "result": data_url})
    assert converter.asked == [(added["item"]["id"], "QUJD", None)]
    await case.send("output_item.added", output_index=1, item=image)
    linked = {**image, "result": "https://e.example/a.png"}
    [done] = await case.send("output_item.done", output_index=1, item=linked)
    assert done["item"]["image"]["url"] == "https://e.example/a.png"


async def test_two_images_of_one_id_stay_apart(case: Case) -> None:
    case.turn.stream_converter = converter = Uploads()
    image = {"type": "image_generation_call", "id": "ig_1", "result": "QUJD"}
    for index in (0, 1):
        await case.send("output_item.added", output_index=index, item=image)
        await case.send("output_item.done", output_index=index, item=image)
    first, second = (asked[0] for asked in converter.asked)
    assert first == "ig_1" != second


async def annotated(case: Case, *annotations: Any) -> list[dict[str, Any]]:
    """Return the sources of a message with these annotations, after checking those streamed."""
    await delta(case, "See")
    streamed = []
    for annotation in annotations:
        event = SimpleNamespace(
            type="response.output_text.annotation.added",
            annotation=annotation,
            output_index=0,
            content_index=0,
        )
        await case.translator.event(event)
        streamed += [told["update"]["annotation"] for told in case.told()]
    part = SimpleNamespace(text="See", annotations=list(annotations))
    item = SimpleNamespace(type="message", content=[part])
    await case.translator.event(
        SimpleNamespace(type="response.output_item.done", output_index=0, item=item)
    )
    saved: list[dict[str, Any]] = case.told()[-1]["item"]["content"][0]["annotations"]
    assert saved == streamed
    return [annotation["source"] for annotation in saved]


async def test_annotations_may_be_of_any_class(case: Case) -> None:
    make: Any = AnnotationURLCitation.model_construct
    constructed = make(**URL)
    incomplete = make(type="url_citation", url="https://e.example")
    given = (FILE, CONTAINER, URL, constructed, SimpleNamespace(**URL), incomplete, {"type": "x"})
    sources = await annotated(case, *given)
    assert [source.get("filename") or source["url"] for source in sources] == [
        "f.pdf",
        "c.csv",
        *["https://example.org"] * 3,
    ]


async def test_a_plugin_converts_annotations_and_leaves_some_out(case: Case) -> None:
    case.turn.stream_converter = Uploads()
    [source, file] = await annotated(case, {**URL, "title": "secret"}, URL, FILE)
    assert (source["url"], source["title"]) == ("https://proxy.example", "Example")
    assert file["filename"] == "f.pdf"


class Broken(ResponseStreamConverter):
    """Fails in the way that it is told."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    async def _fail(self, *_: Any, **__: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    base64_image_to_url = _fail
    url_citation_to_annotation = _fail


@pytest.mark.parametrize("answer", [RuntimeError("password hunter2"), 7])
async def test_a_converter_that_fails_is_named(
    case: Case, caplog: pytest.LogCaptureFixture, answer: Any
) -> None:
    case.turn.stream_converter = Broken(answer)
    image = {"type": "image_generation_call", "result": "QUJD"}
    await case.send("output_item.added", output_index=0, item=image)
    with pytest.raises(PluginFailed) as failed:
        await case.send("output_item.done", output_index=0, item=image)
    assert "hunter2" not in str(failed.value)
    with pytest.raises(PluginFailed):
        await case.send(
            "output_item.done", output_index=1, item=message(text("See", [URL]), text("more"))
        )
    first, second = [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR]
    assert "a plugin's `turn.stream_converter` failed: Broken.base64_image_to_url" in first
    assert "Broken.url_citation_to_annotation" in second


async def test_a_failed_converter_ends_the_turn_with_words(make_chat: MakeChat) -> None:
    converter = Broken(TurnFailed("The disk for images is full."))
    chat = await make_chat(Draws(ScriptedModel([image_step()] * 2), converter), agent=SDK)
    streamed = await chat.say("Draw")
    assert streamed.error is not None
    assert streamed.error["message"] == "The disk for images is full."
    assert streamed.done("generated_image") == []
    converter.answer = OSError("secret")
    again = await chat.say("Draw", streamed.thread_id)
    assert again.error is not None
    assert again.error["message"] == PluginFailed().message


async def test_what_is_no_converter_is_refused(make_chat: MakeChat) -> None:
    plugin = Draws(ScriptedModel([]), "nonsense")  # type: ignore[arg-type]
    chat = await make_chat(plugin, agent=SDK)
    content = {"content": [{"type": "input_text", "text": "Draw"}], "attachments": []}
    params = {"input": {**content, "inference_options": {}}}
    response = await chat.post({"type": "threads.create", "params": params})
    assert response.status == 500


def images_in(sent: Any) -> int:
    return str(sent).count("QUJD")


@pytest.mark.parametrize("model", ["sdk/any", "other/any"])
async def test_a_model_is_sent_an_image_once(make_chat: MakeChat, model: str) -> None:
    steps: list[Any] = [image_step(before=[thought("Hm")], after=[said("Here")]), [said("Fine")]]
    scripted = ScriptedModel(steps)
    offered = {**SDK, "models": ["sdk/any", "other/any"]}
    chat = await make_chat(Draws(scripted), agent=offered)
    first = await chat.say("Draw")
    again = await chat.say("And?", first.thread_id, inference_options={"model": model})
    assert again.error is None
    sent = scripted.calls[-1].input
    assert images_in(sent) == 1
    assert str(sent).count("'Here'") == 1
    assert "image_generation_call" not in str(sent)


async def test_a_chat_model_is_sent_an_image_once(
    make_chat: MakeChat, model_server: ModelServer
) -> None:
    sections = served_by(model_server, **SDK, models=["sdk/any", "test/any"])
    chat = await make_chat(Draws(ScriptedModel([image_step(after=[said("Here")])])), **sections)
    first = await chat.say("Draw")
    model_server.reply("Fine.")
    again = await chat.say("And?", first.thread_id, inference_options={"model": "test/any"})
    assert again.error is None
    assert images_in(model_server.requests[-1].body["messages"]) == 1


def test_a_memory_keeps_no_image() -> None:
    image: Any = {"type": "image_generation_call", "id": "ig", "result": "QUJD"}
    reasoning: Any = {"type": "reasoning", "id": "rs", "summary": []}
    call: Any = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output: Any = {"type": "function_call_output", "call_id": "c", "output": "x"}
    assert build_memory("turn_1", "m", [reasoning, image], [], [], None) is None
    memory = build_memory("turn_1", "m", [reasoning, image, call, output], [], [], None)
    assert memory is not None
    assert memory.input == [call, output]
    old = TurnMemory("turn_1", "m", [], [image, call, output]).as_item("thr_1")
    read = TurnMemory.of(old)
    assert read is not None
    assert read.input == [call, output], "what an earlier version has saved"
