"""Each recipe of the cookbook does what its page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from chatkit.types import AssistantMessageItem, UserMessageItem

from chatkit_server.testing import Gate, ModelServer, Refused, call, mcp_server, script
from tests.cookbook import FOLDER, RECIPES, Kitchen, OnlyRuns, Recipe, service
from tests.documents import links

SAID = ["user_message", "assistant_message"]
LLM_KEY = {"OPENAI_API_KEY": "a key"}
MOST_LINES = 39
PARTS = ["What you see.", "Why it is like this.", "For production."]


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_is_a_short_plugin_with_its_settings(recipe: Recipe) -> None:
    assert recipe.code.file == f"my_plugins/{recipe.name}.py"
    assert len(recipe.code.text.splitlines()) <= MOST_LINES
    assert f"  {recipe.name}:" in recipe.settings.text
    page = recipe.code.document.read_text("utf-8")
    assert re.findall(r"^\*\*(.+?)\*\*", page, re.MULTILINE) == PARTS


def test_the_table_has_every_recipe_once() -> None:
    table = FOLDER / "README.md"
    shown = [to.removesuffix(".md") for to in links(table) if "/" not in to]
    assert sorted(shown) == sorted(RECIPES)


async def test_slack_hears_of_a_failed_turn(kitchen: Kitchen) -> None:
    async with service() as slack:
        model = script("Fine.", RuntimeError("the model is gone"))
        async with kitchen.serve("slack_notice", model=model, SLACK_WEBHOOK_URL=slack.url) as ann:
            assert (await ann.say("Hello")).text == "Fine."
            assert slack.received == []
            failed = await ann.say("Once more")
    [notice] = slack.received
    assert notice["text"].startswith("An answer failed (scripted/model): ")
    assert failed.turn_id in notice["text"]
    assert "Once more" not in notice["text"]


async def test_an_answer_does_not_fail_with_slack(
    kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    async with service(status=500) as slack:
        model = script(RuntimeError("gone"), "Fine.")
        async with kitchen.serve("slack_notice", model=model, SLACK_WEBHOOK_URL=slack.url) as ann:
            assert (await ann.say("Hello")).error
            assert (await ann.say("Hello?")).text == "Fine."
    assert "Slack has not taken a notice: ClientResponseError" in caplog.text
    assert slack.url not in caplog.text


async def test_each_tenant_has_its_model_and_key(kitchen: Kitchen) -> None:
    async with ModelServer() as acme, ModelServer() as globex:
        urls = {"ACME_LLM_URL": acme.url, "GLOBEX_LLM_URL": globex.url}
        keys = {"ACME_LLM_KEY": "key-a", "GLOBEX_LLM_KEY": "key-g"}
        async with kitchen.serve("tenant_models", **urls, **keys) as client:
            await client.as_user("ann", tenant="acme").say("Hello")
            await client.as_user("bob", tenant="globex").say("Hi", model="acme/large")
            with pytest.raises(Refused) as refused:
                await client.as_user("eve", tenant="other").say("Hello")
    assert refused.value.status == 403
    for server, model, key in ((acme, "large", "key-a"), (globex, "small", "key-g")):
        [request] = server.requests
        assert request.body["model"] == model
        assert request.headers["Authorization"] == f"Bearer {key}"


async def test_a_quota_ends_the_turn_in_words_and_survives_a_restart(kitchen: Kitchen) -> None:
    used_up = "You have used up your tokens for today. They are back at midnight UTC."
    async with ModelServer() as server:
        server.reply("Hello.")
        low = {"CHATKIT_PLUGINS__DAILY_TOKENS__TOKENS": "1"}
        async with kitchen.serve("daily_tokens", model=server, **low) as client:
            ann = client.as_user("ann")
            assert (await ann.say("Hello")).text == "Hello."
            assert (await ann.say("More")).text == used_up
        async with kitchen.serve("daily_tokens", model=server, **low) as client:
            ann, other = client.as_user("ann"), client.as_user("ann", tenant="other")
            assert (await ann.say("And now?")).text == used_up
            assert (await ann.items())[-1].type == "assistant_message"
            assert (await other.say("Hello")).text != used_up
        assert len(server.requests) == 2


async def test_personal_data_is_masked_for_store_model_and_user(kitchen: Kitchen) -> None:
    def find(name: str) -> dict[str, str]:
        """Find somebody."""
        return {"mail": f"{name}@acme.example", "account": "DE89 3704 0044 0532 0130 00"}

    said = "I am ann@acme.example, +49 170 1234567, card 4111 1111 1111 1111. 20 apples."
    masked = "I am [EMAIL], [PHONE], card [CARD]. 20 apples."
    model = script(call("find", name="bob"), "Found.", "Again.")
    async with kitchen.serve("pii_redaction", mcp_server(find), model=model) as ann:
        answer = await ann.say(said, quoted_text="bob@acme.example")
        await ann.say("Again")
        stored = await ann.items()
    for shown in (answer.items[0], stored[0]):
        assert isinstance(shown, UserMessageItem)
        assert (shown.content[0].text, shown.quoted_text) == (masked, "[EMAIL]")
    [found] = answer.tool_calls
    assert json.loads(found.output) == {"mail": "[EMAIL]", "account": "[IBAN]"}
    for request in model.requests:
        assert masked in str(request.input)
        assert "acme.example" not in str(request.input)


async def test_each_question_is_looked_up_and_the_sources_are_shown(kitchen: Kitchen) -> None:
    def search(query: str) -> list[dict[str, str]]:
        """Search the handbook."""
        return [{"title": "Holidays", "url": "https://acme.example/h", "text": f"30. {query}"}]

    model = script("You have 30.", "Hello.")
    server = mcp_server(search)
    runs = OnlyRuns(server)
    async with kitchen.serve("handbook", runs, model=model, HANDBOOK_URL=server.url) as ann:
        answer = await ann.say("How many days off?")
        assert server.calls == ["search"]
    assert "From our handbook:\n\nHolidays: 30. How" in model.requests[0].said
    [message] = [item for item in answer.items if isinstance(item, AssistantMessageItem)]
    [annotation] = message.content[0].annotations
    assert annotation.source.title == "Holidays"


async def test_langgraph_answers_in_pieces_and_knows_what_was_said(kitchen: Kitchen) -> None:
    async with ModelServer() as server:
        server.reply("One, ", "two.")
        async with kitchen.serve("langgraph_answers", LLM_URL=server.url, **LLM_KEY) as ann:
            answer = await ann.say("Count")
            assert answer.text == "One, two."
            assert [event.type for event in answer.events].count("thread.item.updated") == 2
            server.reply("Three.")
            await ann.say("Go on")
            gate = Gate()
            server.reply("Four, ", gate, "five.")
            running = await ann.begin("And on")
            await running.until("Four")
            assert (await running.stop()).streamed == "Four, "
    told = [
        (message["role"], message["content"]) for message in server.requests[1].body["messages"]
    ]
    assert told == [("user", "Count"), ("assistant", "One, two."), ("user", "Go on")]
    assert server.requests[0].headers["Authorization"] == "Bearer a key"


async def test_pydantic_ai_answers_with_tools_that_know_the_user(kitchen: Kitchen) -> None:
    async with ModelServer() as server:
        server.reply(call("who_am_i"))
        server.reply("You are ", "Ann.")
        async with kitchen.serve("pydantic_ai_answers", LLM_URL=server.url, **LLM_KEY) as client:
            ann = client.as_user("ann", name="Ann")
            assert (await ann.say("Who am I?")).text == "You are Ann."
            server.reply("As I said.")
            await ann.say("Sure?")
            assert [item.type for item in await ann.items()] == [*SAID, *SAID]
    roles = [message["role"] for message in server.requests[2].body["messages"]]
    assert roles == ["user", "assistant", "tool", "assistant", "user"]
