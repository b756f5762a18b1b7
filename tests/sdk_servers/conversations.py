"""What is said to each backend, and what its model answers."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Any

from chatkit_server.testing.model_script import Call, Citation, Gate, Image, Json, Reasoning, Text

from .page import Page


async def pantry(page: Page) -> None:
    """Tools that set fields, a streamed widget, an action that replaces a widget."""
    models = page.models
    models.reply(Call("add_item", {"name": "oats", "count": 2}))
    models.reply(Call("add_item", {"name": "milk", "count": 1}), Call("show_pantry"))
    models.reply("Oats ", "and milk.")
    first = await page.say("I bought oats and milk")
    thread_id = first.thread_id
    shelf = first.item("widget")
    await page.act(thread_id, "pantry.use", {"name": "oats"}, shelf["id"])
    await page.act(thread_id, "unknown")
    models.reply(Call("show_recipe"))
    models.reply("Enjoy.")
    await page.say("What can I cook?", thread_id)
    models.reply("Once more.")
    message = first.item("user_message")
    await page.send("threads.retry_after_item", thread_id=thread_id, item_id=message["id"])


async def desk(page: Page) -> None:
    """What is in the request, and the composer's model."""
    models = page.models
    page.headers = {"X-Team": "blue", "Accept-Language": "de", "Cookie": "session=abc; other=1"}
    page.query = {"desk": "7"}
    models.reply(Call("who_am_i"))
    models.reply("Blue.")
    first = await page.say("Who am I?")
    page.headers = {"X-Team": "red"}
    page.query = {}
    models.reply(Call("who_am_i"), Call("write_note", {"text": "hello"}))
    models.reply_as("gpt-4.1", Call("write_note", {"text": "again"}))
    models.reply_as("gpt-4.1", "Noted.")
    models.reply("Red.")
    await page.say("And now?", first.thread_id)
    options = {"model": "gpt-4.1", "tool_choice": {"id": "write_note"}}
    await page.say("Again", first.thread_id, inference_options=options)


async def atlas(page: Page) -> None:
    """Client tools, whose outputs may be answered or not, and a tag."""
    models = page.models
    models.reply(Call("read_map", {"layer": "places"}))
    tag = {"type": "input_tag", "id": "mill", "text": "Mill", "data": {}, "group": "places"}
    text = {"type": "input_text", "text": "What is near "}
    first = await page.say("", content=[text, tag])
    thread_id = first.thread_id
    models.reply("The harbour is near.")
    result: Json = {"places": ["harbour", "mill"], "zoom": 3}
    await page.send("threads.add_client_tool_output", thread_id=thread_id, result=result)
    models.reply("Let me go there. ", Call("move_map", {"place": "harbour"}))
    await page.say("Show me", thread_id, quoted_text="The harbour")
    await page.send("threads.add_client_tool_output", thread_id=thread_id, result={"ok": True})
    models.reply(Call("read_map", {"layer": "boats"}))
    await page.say("Boats?", thread_id)
    models.reply("Never mind.")
    await page.say("No, leave it", thread_id)


async def darkroom(page: Page) -> None:
    """Both kinds of attachments, from their creation to the model; then what is refused."""
    models = page.models
    page.headers = {"X-Team": "blue"}
    image = await page.send("attachments.create", name="a.png", size=3, mime_type="image/png")
    text = await page.send("attachments.create", name="b.txt", size=5, mime_type="text/plain")
    await _upload(page, image.body, {"data": {"file": BytesIO(b"png")}})
    await _upload(page, text.body, {"data": b"hello"})
    await page.fetch("GET", image.body["preview_url"])
    models.reply("A picture and a text.")
    first = await page.say("What is this?", attachments=[image.body["id"], text.body["id"]])
    models.reply("The same as before.")
    await page.say("And now?", first.thread_id)
    unused = await page.send("attachments.create", name="c.txt", size=5, mime_type="text/plain")
    await page.send("attachments.delete", attachment_id=unused.body["id"])
    create = {"name": "d", "size": 5, "mime_type": "text/plain"}
    await page.expect_failure(page.send("attachments.create", **create | {"size": 9000}))
    await page.expect_failure(page.send("attachments.create", **create | {"mime_type": "a/b"}))
    await page.expect_failure(page.fetch("PUT", "/files/unknown/raw", data=b"x"))
    await page.expect_failure(page.fetch("GET", "/nowhere"))


async def _upload(page: Page, attachment: Json, body: Json) -> None:
    described = attachment["upload_descriptor"]
    await page.fetch(described["method"], described["url"], headers=described["headers"], **body)


async def helpline(page: Page) -> None:
    """A title from a task; a lock, and the button that takes it off; a closed thread."""
    models = page.models
    answered = Gate()
    models.reply_as("gpt-4.1-nano", "a broken lamp.", hold=answered)
    models.reply("Is it ", "plugged in?")
    first = await page.say("My lamp is broken", opens=(answered, "assistant_message"))
    thread_id = first.thread_id
    models.reply(Call("hand_over", {"reason": "sparks"}))
    models.reply("Goodbye.")
    locked = await page.say("It sparks", thread_id)
    widget = locked.item("widget")
    await page.act(thread_id, "reopen", item_id=widget["id"])
    models.reply("Welcome back.")
    await page.say("Thanks", thread_id)
    await page.act(thread_id, "save")
    await page.send("threads.update", thread_id=thread_id, title="Lamps")
    gate = Gate()
    models.reply("Take a ", gate, "candle.")
    await page.stop("It is dark", thread_id, at="Take")
    await page.wait_for(
        lambda listed: listed["data"][0]["title"] == "Lamps (stopped)", "threads.list"
    )
    gate.open()
    models.reply("Where were we?")
    await page.say("Go on", thread_id)
    answered = Gate()
    models.reply_as("gpt-4.1-nano", "a lamp.", hold=answered)
    models.reply("Again?")
    closed = (await page.say("Another lamp", opens=(answered, "assistant_message"))).thread_id
    await page.act(closed, "close", {"reason": "Solved."})
    models.reply("Yes?")
    await page.may_fail(page.say("Are you there?", closed))
    models.script.clear()
    await page.send("threads.delete", thread_id=closed)


async def menu(page: Page) -> None:
    """Clicks that the model hears of, clicks that are answered at once."""
    models = page.models
    models.reply(Call("show_menu"))
    models.reply("Choose.")
    first = await page.say("I am hungry")
    thread_id, widget = first.thread_id, first.item("widget")
    models.reply("A table first. ", Call("set_table", {"seats": 2}))
    models.reply("Here it comes.")
    await page.act(thread_id, "menu.order", {"dish": "Soup"}, widget["id"])
    action = {"type": "menu.rate", "payload": {"dish": "Soup", "stars": 5}}
    await page.send(
        "threads.sync_custom_action", thread_id=thread_id, item_id=widget["id"], action=action
    )
    await page.send("threads.sync_custom_action", thread_id=thread_id, action=action)
    models.reply("Without a menu.")
    await page.act(thread_id, "menu.order", {"dish": "Bread"})
    gate = Gate()
    models.reply("You may ", gate, "click meanwhile.")
    answer = asyncio.create_task(page.say("Any specials?", thread_id))
    await gate.reached()
    await page.act(thread_id, "menu.special")
    await page.act(thread_id, "menu.dismiss", item_id=widget["id"])
    gate.open()
    await answer
    models.reply("Goodbye.")
    await page.say("Thanks", thread_id)


async def ledger(page: Page) -> None:
    """More items than a page has; each read in both orders; a retry from the middle."""
    models = page.models
    models.reply(Call("write_entry", {"text": "10 for pens"}))
    models.reply("Written.")
    first = await page.say("10 for pens")
    thread_id = first.thread_id
    models.reply("That makes ten.")
    second = await page.say("Sum?", thread_id)
    models.reply("Still ten.")
    await page.say("Sure?", thread_id)
    await page.read("items.list", thread_id=thread_id, order="asc")
    await page.read("items.list", thread_id=thread_id)
    models.reply("Exactly ten.")
    message = second.item("user_message")
    await page.send("threads.retry_after_item", thread_id=thread_id, item_id=message["id"])
    for number in range(4):
        models.reply("New.")
        await page.say(f"Book {number}")
    await page.read("threads.list", limit=20)
    await page.send("threads.delete", thread_id=thread_id)


async def guarded(page: Page) -> None:
    """Tripped guardrails, and every kind of error."""
    models = page.models
    models.reply("Hello.")
    first = await page.say("Hello")
    thread_id = first.thread_id
    await page.expect_failure(page.say("My password is x", thread_id))
    models.reply(Call("show_card"))
    models.reply("I promise ", "everything.")
    await page.expect_failure(page.say("Promise me something", thread_id))
    for how in ("custom", "custom retry", "code", "code final", "bug"):
        await page.expect_failure(page.say(f"fail {how}", thread_id))
        await page.expect_failure(page.act(thread_id, how))
    await page.expect_failure(page.say("tell an error", thread_id))
    models.reply("Still here.")
    await page.say("Hello again", thread_id)
    await page.expect_failure(page.say("Hello", "thr_unknown"))
    await page.expect_failure(page.send("threads.get_by_id", thread_id="thr_unknown"))
    await page.expect_failure(
        page.act(thread_id, "custom", item_id=first.item("user_message")["id"])
    )


async def studio(page: Page) -> None:
    """An image that comes in steps; sources of which one is private."""
    models = page.models
    models.reply(Image("ZmluYWw=", partial=("cGFydDA=", "cGFydDE=")), "A cat.")
    first = await page.say("Draw a cat")
    models.reply("See ", _source("one"), _source("private"), _source("two"), Text("these", "."))
    await page.say("Where from?", first.thread_id)


def _source(name: str) -> Citation:
    url = f"https://{name}.example"
    span = {"start_index": 0, "end_index": 3}
    # The SDK cannot read the events of this version of the client library
    return Citation({"type": "url_citation", "url": url, "title": name, **span}, event=False)


async def steps(page: Page) -> None:
    """Thoughts and tasks in one workflow; a workflow with a summary; questions."""
    models = page.models
    models.reply(Reasoning("Let me think. "), Call("look_up", {"what": "bees"}))
    models.reply(Reasoning("More. "), Call("look_up", {"what": "wasps"}))
    models.reply("Bees and wasps.")
    first = await page.say("Who flies?")
    thread_id = first.thread_id
    models.reply(Call("read_files"))
    models.reply("I read them.")
    await page.say("Read", thread_id)
    models.reply("As it says.")
    await page.say("And this?", thread_id, quoted_text="Bees and wasps.")
    models.reply(Reasoning("Which one? "), Call("look_up", {"what": "red"}))
    models.reply(Call("pick"))
    await page.say("Pick", thread_id)
    models.reply(Reasoning("Blue, then. "), Call("look_up", {"what": "blue"}))
    models.reply("Blue.")
    await page.send("threads.add_client_tool_output", thread_id=thread_id, result="blue")
    models.reply(Call("ask", {"question": "Which colour?"}))
    models.reply("Tell me.")
    asked = await page.say("Paint it", thread_id)
    item = asked.item("structured_input")
    answers: dict[str, Any] = {
        "colour": {"values": ["red", "blue"]},
        "why": {"skipped": True},
        "unknown": {"values": ["x"]},
    }
    models.reply("Red it is.")
    await page.send(
        "threads.add_structured_input",
        thread_id=thread_id,
        item_id=item["id"],
        input={"status": "answered", "answers": answers},
    )


async def tenants(page: Page) -> None:
    """Two users who see nothing of each other, and a third who is nobody."""
    models = page.models
    ann = {"X-User-Id": "ann", "X-Plan": "pro"}
    page.headers = ann
    await page.fetch("GET", "/facts")
    models.reply(Call("learn", {"fact": "likes tea"}))
    models.reply("Noted.")
    first = await page.say("I like tea")
    page.headers = {"X-User-Id": "bob"}
    models.reply("Nothing, Bob.")
    await page.say("What do you know?")
    await page.fetch("POST", "/facts", json={"text": "likes rum"})
    await page.send("threads.list")
    await page.expect_failure(page.send("threads.get_by_id", thread_id=first.thread_id))
    await page.expect_failure(page.say("Let me in", first.thread_id))
    await page.expect_failure(page.fetch("POST", "/facts", json={}))
    page.headers = {}
    await page.expect_failure(page.send("threads.list"))
    await page.expect_failure(page.fetch("GET", "/facts"))
    page.headers = ann
    ids = [first.item("assistant_message")["id"], first.item("user_message")["id"]]
    await page.send("items.feedback", thread_id=first.thread_id, item_ids=ids, kind="positive")
    await page.fetch("GET", "/feedback")
    await page.fetch("GET", "/facts")


async def parrot(page: Page) -> None:
    """Events without an agent, dictation, feedback, and a Stop."""
    first = await page.say("pretty polly")
    thread_id = first.thread_id
    await page.dictate("hello", "audio/webm;codecs=opus")
    message = first.item("assistant_message")
    await page.send(
        "items.feedback", thread_id=thread_id, item_ids=[message["id"]], kind="negative"
    )
    await page.stop("live forever", thread_id, at="forever")
    # Who looks into the thread has reloaded the page, and this server goes on with the answer
    await page.wait_for(lambda listed: listed["data"][0]["title"] == "Stopped", "threads.list")
    await page.send("threads.get_by_id", thread_id=thread_id)
    await page.send("threads.update", thread_id=thread_id, title="Long")
    await page.say("once more", thread_id)
    await page.say("nothing", thread_id)
    await page.say("sudden silence", thread_id)
    await page.expect_failure(page.say("sudden thunder", thread_id))
    for said in ("now hush", "be polite", "be quick now", "your name is", "fetch"):
        await page.say(said, thread_id)
    await page.send("threads.add_client_tool_output", thread_id=thread_id, result={"nuts": 1})
    await page.say("the end", thread_id)


async def bare(page: Page) -> None:
    """A handoff, a failing tool, a Stop, and all that the server has no method for."""
    models = page.models
    models.reply(Call("transfer_to_experts"))
    models.reply(Call("dial", {"number": -1}))
    models.reply(Call("dial", {"number": 7}))
    models.reply("Seven ", "answers.")
    first = await page.say("Call somebody")
    thread_id = first.thread_id
    message = first.item("assistant_message")
    await page.send(
        "items.feedback", thread_id=thread_id, item_ids=[message["id"]], kind="positive"
    )
    await page.expect_failure(page.act(thread_id, "click"))
    action = {"type": "click"}
    sync = page.send("threads.sync_custom_action", thread_id=thread_id, action=action)
    await page.expect_failure(sync)
    await page.expect_failure(page.dictate("hello", "audio/webm"))
    create = page.send("attachments.create", name="a.png", size=3, mime_type="image/png")
    await page.expect_failure(create)
    await page.expect_failure(page.say("See?", thread_id, attachments=["atc_unknown"]))
    output = page.send("threads.add_client_tool_output", thread_id=thread_id, result={})
    await page.expect_failure(output)
    retry = page.send("threads.retry_after_item", thread_id=thread_id, item_id=message["id"])
    await page.expect_failure(retry)
    await page.expect_failure(page.act(thread_id, "click", item_id="msg_unknown"))
    await page.expect_failure(page.fail_to_parse(b"{}"))
    await page.expect_failure(page.fail_to_parse(b"nonsense"))


async def gateway(page: Page) -> None:
    """Messages of a model that gives them no ids."""
    models = page.models
    models.reply(Call("lamp", {"on": True}))
    models.reply("It is ", "on.")
    first = await page.say("Light!")
    models.reply("Gladly. ", Call("lamp", {"on": False}))
    models.reply("Off.")
    await page.say("Dark!", first.thread_id)
    models.reply("Twice.")
    await page.say("How often?", first.thread_id)


async def memo(page: Page) -> None:
    """Answers that continue the one before, a retry, and what tasks write after each."""
    models = page.models
    models.reply(Call("jot", {"text": "milk"}))
    models.reply("Milk it is.")
    first = await page.say("Milk")
    await _reminded(page, 1)
    models.reply("And eggs.")
    second = await page.say("Eggs", first.thread_id)
    await _reminded(page, 2)
    models.reply("Eggs, again.")
    message = second.item("user_message")
    await page.send("threads.retry_after_item", thread_id=first.thread_id, item_id=message["id"])
    await _reminded(page, 3)


async def _reminded(page: Page, times: int) -> None:
    title = f"{times} reminders"
    await page.wait_for(lambda listed: listed["data"][0].get("title") == title, "threads.list")
    thread_id = page.exchanges[-1].body["data"][0]["id"]
    await page.read("threads.get_by_id", thread_id=thread_id)
