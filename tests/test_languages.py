"""Where users read the server's words: in the language of their request."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from babel.messages import Catalog
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError
from chatkit.types import ErrorEvent, ProgressUpdateEvent, StructuredInputAnswer
from starlette.exceptions import HTTPException

from chatkit_server import Conflict, Outcome, SettingsError, Turn, User, hookimpl, words
from chatkit_server.languages import own_languages
from chatkit_server.mcp.forms import Form
from chatkit_server.testing.model_server import Gate, ModelServer
from chatkit_server.turns.recovery import INTERRUPTED
from chatkit_server.turns.store import TurnRecord
from chatkit_server.web.keys import ENGINE
from tests import catalogs
from tests.approving import asked, click, replaced, says
from tests.conftest import MakeChat
from tests.mcp_calls import until
from tests.security.hostile_client import ask, connected, request
from tests.security.listening import listening
from tests.serving import served_by
from tests.test_approvals import ANN, mailer
from tests.test_tools import Has

GERMAN = {"Accept-Language": "fr, de-AT;q=0.8, en;q=0.5"}

CLOSED = """
from chatkit_server import Conflict, hookimpl, words

class Plugin:
    locales = "{locales}"

    @hookimpl
    async def pre_turn(self, turn):
        raise Conflict(words("{{name}}, we are closed.", name=turn.user.name))
"""


def speak(body: Any = None, **headers: str) -> dict[str, Any]:
    return {"json": body, "headers": {**GERMAN, **headers}}


async def test_refusals(make_chat: MakeChat, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    chat = await make_chat(server={"max_body": "1kB", "path": "/chat"})
    client = chat.client
    thread = {"type": "threads.get_by_id", "params": {"thread_id": "thr_1"}}
    refused = {
        "Nicht gefunden: GET /nothing": await client.get("/nothing", **speak()),
        "Methode nicht erlaubt: PUT /chat": await client.put("/chat", **speak()),
        "Die Anfrage ist größer als 1000 Bytes.": await client.post("/chat", **speak("x" * 1000)),
        "Die Unterhaltung wurde nicht gefunden.": await client.post("/chat", **speak(thread)),
        "Diese Antwort wurde nicht gefunden.": await client.get("/chat/turns/turn_1", **speak()),
    }
    for message, response in refused.items():
        assert (await response.json())["message"] == message
        # Another user's language is another answer
        assert response.headers["Cache-Control"] == "no-store"
    # For developers
    response = await client.post("/chat", **speak([]))
    assert await response.json() == {"message": "The body must be a JSON object."}
    for logged in ("404 Not Found: GET /nothing", "413 The request is larger than 1000 bytes."):
        assert any(line.endswith(logged) for line in caplog.messages)


async def test_who_is_not_signed_in(make_chat: MakeChat) -> None:
    chat = await make_chat(
        plugins={"demo_model": None, "jwt_auth": {"secret": "s" * 32, "audience": "us"}}
    )
    response = await chat.client.post(chat.path, **speak({}))
    said = "Melden Sie sich zuerst an: Die Anfrage enthält kein Bearer-Token."
    assert (response.status, await response.json()) == (401, {"message": said})
    bad = await chat.client.post(chat.path, **speak({}, Authorization="Bearer x"))
    assert await bad.json() == {"message": "Das Token ist kein lesbares JSON Web Token."}
    # A header is ASCII, and for programs
    assert "cannot be read" in bad.headers["WWW-Authenticate"]


async def test_before_a_request_is_read() -> None:
    large = request("POST", "/api/chat", X="x" * 70_000, Accept_Language="fr, de", Y="y")
    small = request("POST", "/api/chat", accept_language="de-CH")
    # This machine is no proxy then
    settings = {"limits": {"address": 1}, "trusted_proxies": ["192.0.2.1"]}
    async with listening(server=settings) as server:
        response = await ask(server.port, large)
        assert response.status == 431
        assert response.json["message"].startswith("Die Kopfzeilen der Anfrage sind größer als")
        await until(lambda: server.open == 0)
        async with connected(server.port):
            await until(lambda: server.open == 1)
            response = await ask(server.port, small)
            assert response.status == 429
            assert response.json["message"].startswith("Von Ihrer Adresse bestehen zu viele")


class Outcomes:
    """Keeps what plugins are told of the ends of turns."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    @hookimpl
    async def post_turn(self, turn: Turn, outcome: Outcome) -> None:
        self.errors.append(outcome.error or "")


async def test_a_model_that_fails(
    make_chat: MakeChat, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    outcomes = Outcomes()
    chat = await make_chat(outcomes, **served_by(model_server))
    chat.headers |= GERMAN
    english = "The model provider rejected this server's API key."
    german = "Der Modellanbieter hat den API-Schlüssel dieses Servers abgelehnt."
    model_server.fail(401)
    error = (await chat.say("Hi")).error
    assert error is not None
    assert error["message"].startswith(german)
    model_server.fail(401)
    assert (await chat.plain("Hi")).data[1]["error"].startswith(german)
    model_server.fail(401)
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": False}
    assert (await (await chat.post(body)).json())["message"].startswith(german)
    assert all(error.startswith(english) for error in outcomes.errors)
    assert any(english in line for line in caplog.messages)


async def test_a_turn_that_was_stopped(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(**served_by(model_server))
    chat.headers |= GERMAN
    gate = Gate()
    model_server.reply("One, ", gate, "two.")
    response = await chat.post({"messages": [{"role": "user", "content": "Count"}]})
    await gate.reached()
    turn = f"{chat.path}/turns/{response.headers['X-Turn-Id']}"
    stopped = await (await chat.client.post(f"{turn}/cancel", headers=GERMAN)).json()
    assert stopped["error"] == "Die Antwort wurde angehalten."
    assert "Die Antwort wurde angehalten." in (await response.read()).decode()
    # Another client, and the events in the words of who asked
    state = await (await chat.client.get(turn, headers={"Accept-Language": "en, de"})).json()
    assert state["error"] == "The answer was stopped."
    events = await chat.client.get(f"{turn}/events", headers={"Accept-Language": "en"})
    assert "Die Antwort wurde angehalten." in (await events.read()).decode()


async def test_a_turn_of_a_dead_process(make_chat: MakeChat) -> None:
    chat = await make_chat()
    store = chat.client.app[ENGINE].turn_store
    user = User("somebody")
    await store.begin(TurnRecord("turn_1", "thr_1", user, "plain", "m", None, partial=b""))
    await store.end("turn_1", 1, "interrupted", str(INTERRUPTED))
    state = await (await chat.client.get(f"{chat.path}/turns/turn_1", headers=GERMAN)).json()
    assert state["error"] == "Der Server wurde beendet, bevor die Antwort vollständig war."


async def test_an_approval(make_chat: MakeChat, model_server: ModelServer) -> None:
    chat = await make_chat(Has(mailer()), **served_by(model_server))
    chat.headers |= GERMAN
    model_server.reply(ANN)
    [item] = asked(await chat.say("Write to Ann"))
    assert "`send_mail` ausführen?" in says(item)
    assert item["copy_text"].startswith("`send_mail` ausführen?")
    card = orjson.dumps(item["widget"]).decode()
    for label in ("Genehmigen", "Ablehnen", "In dieser Unterhaltung immer"):
        assert f'"label":"{label}"' in card
    model_server.reply("As you like.")
    assert replaced(await click(chat, item, "deny")) == ["Abgelehnt"]


FORM = {
    "message": "Your flight",
    "requestedSchema": {
        "properties": {
            "bags": {"type": "integer", "minimum": 0, "maximum": 3},
            "meal": {"type": "boolean", "default": False},
        },
        "required": ["bags"],
    },
}


def german(text: str) -> str:
    return own_languages().say(text, ["de"])


def test_what_an_mcp_server_asks() -> None:
    form = Form.of("flights", FORM)
    (_, bags), (_, meal) = form.questions(1, german)
    assert bags.question == "flights fragt: Your flight\nbags"
    assert getattr(bags, "description", "") == "Von 0 bis 3."
    assert meal.question == "meal: Ohne Antwort: Nein."
    assert [option.value for option in getattr(meal, "options", [])] == ["Ja", "Nein"]
    meal.answer = StructuredInputAnswer(values=["Ja"])
    answers = {"bags": ["2"], "meal": form.given("meal", meal)}
    assert form.read(answers, {}) == ({"bags": 2, "meal": True}, {})
    _, wrong = form.read({"bags": ["9"], "meal": ["vielleicht"]}, {})
    asked = [question.question for _, question in form.questions(1, german, wrong)]
    assert "Die Zahl darf höchstens 3 sein." in asked[0]
    assert "„vielleicht“ ist keine der Möglichkeiten." in asked[1]


@pytest.mark.parametrize("shown", ["Erledigt", "Nein"])
def test_a_page_that_an_mcp_server_asks_to_open(shown: str) -> None:
    form = Form.of("bank", {"mode": "url", "url": "https://bank.example/pay", "message": ""})
    [(name, question)] = form.questions(1, german)
    assert question.question.startswith("bank fragt\nÖffnen Sie diese Seite von bank.example")
    assert [option.value for option in getattr(question, "options", [])] == ["Erledigt", "Nein"]
    question.answer = StructuredInputAnswer(values=[shown])
    answers = {name: form.given(name, question)}
    assert form.read(answers, {}) == ({} if shown == "Erledigt" else None, {})


class Words:
    """Answers with words of its own."""

    @hookimpl
    async def respond(self, turn: Turn) -> Any:
        turn.locale = "de" if turn.message and "German" in turn.message.content[0].text else "fr"
        return [
            ProgressUpdateEvent(text=turn.translate({"de": "Suche …", "en": "Searching…"})),
            ErrorEvent(message=turn.translate(words("Not found."))),
        ]


async def test_a_plugin_translates_and_may_know_the_language_better(make_chat: MakeChat) -> None:
    chat = await make_chat(Words())
    chat.headers["Accept-Language"] = "en"
    said = {"Hi": ["Searching…", "Not found."], "German": ["Suche …", "Nicht gefunden."]}
    for text, found in said.items():
        data = (await chat.say(text)).data
        assert [e.get("text") or e.get("message") for e in data[-2:]] == found


@pytest.mark.parametrize("locales", ["locale", "../words"])
async def test_a_plugin_with_catalogs_of_its_own(
    locales: str, make_chat: MakeChat, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    catalog = Catalog("fr")
    catalog.add("{name}, we are closed.", "{name}, nous sommes fermés.")
    file = folder / locales / "fr" / "LC_MESSAGES" / "closed.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(catalogs.compiled(catalog))
    source = CLOSED.format(locales=locales)
    if locales == "locale":
        source = source.replace("    locales = ", "    other = ")
    (folder / "closed.py").write_text(source)
    chat = await make_chat(plugins={"demo_model": None, "closed": None}, plugin_dirs=[folder])
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    assert await chat.refused(body, headers=GERMAN) == (409, "Somebody, nous sommes fermés.")
    assert await chat.refused(body) == (409, "Somebody, we are closed.")
    # The plugin has no French words for this
    status, message = await chat.refused(
        {"type": "threads.get_by_id", "params": {"thread_id": "x"}}, headers=GERMAN
    )
    assert (status, message) == (404, "Die Unterhaltung wurde nicht gefunden.")


async def test_the_language_of_who_asks_for_none(make_chat: MakeChat) -> None:
    class Closed:
        @hookimpl
        async def pre_turn(self, turn: Turn) -> None:
            raise Conflict(words("Not found."))

    chat = await make_chat(Closed(), server={"language": "de-AT"})
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    for header, said in (("", "Nicht gefunden."), ("fr", "Nicht gefunden."), ("en", "Not found.")):
        assert await chat.refused(body, headers={"Accept-Language": header}) == (409, said)


@pytest.mark.parametrize(
    ("sections", "wrong"),
    [
        ({"server": {"language": "xx"}}, "no catalog has the language `xx`. Known: de, en"),
        ({"server": {"language": ""}}, "no catalog has the language ``. Known: de, en"),
    ],
)
async def test_a_language_that_nobody_knows(
    sections: dict[str, Any], wrong: str, make_chat: MakeChat
) -> None:
    with pytest.raises(SettingsError, match=wrong):
        await make_chat(**sections)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [("locale", "not a catalog of gettext"), ("nowhere", "nowhere is not a folder")],
)
async def test_catalogs_that_cannot_be_read(
    given: str, wrong: str, make_chat: MakeChat, tmp_path: Path
) -> None:
    file = tmp_path / "locale" / "fr" / "LC_MESSAGES" / "closed.mo"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"msgid")
    (tmp_path / "closed.py").write_text(CLOSED.format(locales=given))
    with pytest.raises(SettingsError, match=wrong):
        await make_chat(plugins={"closed": None}, plugin_dirs=[tmp_path])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (web.HTTPForbidden(), "Nicht erlaubt: GET /mine"),
        (web.HTTPForbidden(reason="Not for you"), "Not for you: GET /mine"),
        (web.HTTPForbidden(text="Not for you."), "Not for you."),
        (HTTPException(404), "Nicht gefunden"),
        (HTTPException(404, "No such cat"), "No such cat"),
        (NotFoundError("item x"), "Nicht gefunden."),
        (PermissionError(), "Dazu sind Sie nicht berechtigt."),
        (CustomStreamError("No more cats"), "No more cats"),
        (CustomStreamError(words("Not found.")), "Nicht gefunden."),
        (
            StreamError(ErrorCode.STREAM_ERROR, allow_retry=False),
            "Die Antwort konnte nicht fertiggestellt werden.",
        ),
    ],
    ids=repr,
)
async def test_errors_of_other_libraries(error: Exception, said: str, make_chat: MakeChat) -> None:
    class Mine:
        @hookimpl
        def setup(self, app: web.Application) -> None:
            app.router.add_get("/mine", self._answer)

        async def _answer(self, request: web.Request) -> web.Response:
            raise error

    chat = await make_chat(Mine())
    assert (await (await chat.client.get("/mine", headers=GERMAN)).json())["message"] == said
