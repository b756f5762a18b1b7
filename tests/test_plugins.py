"""Plugins are found, validated, ordered and called; what cannot work is refused by name."""

from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from chatkit_server import BadRequest, SettingsError, hookimpl
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.discovery import discover
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import load

REPOSITORY = Path(__file__).parents[1]
BUNDLED = sorted(entry.name for entry in entry_points(group="chatkit_server"))

Write = Callable[[str, str], Path]
Load = Callable[..., Hooks]
Refused = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plugin's file into the folder of plugins."""

    def write(name: str, text: str) -> Path:
        file = tmp_path / "my_plugins" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("from chatkit_server import hookimpl\n" + dedent(text), encoding="utf-8")
        return file

    return write


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[Load]:
    """Load the plugins of a settings text."""
    before = set(sys.modules)

    def loaded(text: str) -> Hooks:
        file = tmp_path / "settings.yaml"
        file.write_text(dedent(text), encoding="utf-8")
        return load_plugins(load(file, {}))

    yield loaded
    for name in set(sys.modules) - before:
        if name.startswith("chatkit_plugin_file") or name.startswith("strange"):
            del sys.modules[name]


@pytest.fixture
def refused(loaded: Load) -> Refused:
    def refused(text: str) -> str:
        with pytest.raises(SettingsError) as error:
            loaded(text)
        return str(error.value)

    return refused


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a module where Python imports it from, as an installed package would be."""
    folder = tmp_path / "site"

    def site(name: str, text: str) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        importlib.invalidate_caches()

    monkeypatch.syspath_prepend(str(folder))
    return site


def entry_point(site: Callable[[str, str], None], name: str, module: str) -> None:
    site("strange-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
    site("strange-1.dist-info/entry_points.txt", f"[chatkit_server]\n{name} = {module}\n")


def answers(hooks: Hooks, hook: str = "mcp_servers") -> list[tuple[str, Any]]:
    return list(hooks.boot(hook))


SAYS_ITS_FILE = """
    @hookimpl
    def mcp_servers():
        return [__file__]
"""


# Where plugins are found


def test_bundled_plugins_are_found_through_entry_points() -> None:
    assert "anonymous_auth" in BUNDLED
    found = discover([])
    assert sorted(found) == BUNDLED
    assert found["anonymous_auth"].module == "chatkit_plugins.anonymous_auth"


def test_a_strangers_package_is_found_as_a_bundled_one(
    loaded: Load, site: Callable[[str, str], None]
) -> None:
    site("strange_hello.py", "from chatkit_server import hookimpl\n" + dedent(SAYS_ITS_FILE))
    entry_point(site, "hello", "strange_hello")
    hooks = loaded("plugins: {hello: }")
    assert hooks.names == ["hello"]
    assert answers(hooks)[0][1][0].endswith("strange_hello.py")


def test_a_single_file_in_the_folder_beside_the_settings(write: Write, loaded: Load) -> None:
    file = write("hello.py", SAYS_ITS_FILE)
    assert answers(loaded("plugins: {hello: }")) == [("hello", [str(file)])]


def test_a_package_in_a_folder_with_modules_of_its_own(write: Write, loaded: Load) -> None:
    write("greeter/words.py", "WORD = 'good day'")
    write(
        "greeter/__init__.py",
        """
        from .words import WORD

        @hookimpl
        def mcp_servers():
            return [WORD]
        """,
    )
    assert answers(loaded("plugins: {greeter: }")) == [("greeter", ["good day"])]


def test_a_dotted_name(loaded: Load, site: Callable[[str, str], None]) -> None:
    site("strange_pack/__init__.py", "")
    site("strange_pack/hello.py", "from chatkit_server import hookimpl\n" + dedent(SAYS_ITS_FILE))
    hooks = loaded("plugins: {strange_pack.hello: }")
    assert hooks.names == ["strange_pack.hello"]


def test_other_files_in_a_folder_are_no_plugins(write: Write, tmp_path: Path) -> None:
    for name in ("_private.py", ".hidden.py", "notes.txt", "data/words.py", "__init__.py"):
        write(name, "")
    assert sorted(discover([tmp_path / "my_plugins"])) == BUNDLED


def test_nothing_is_imported_that_is_not_enabled(write: Write, loaded: Load) -> None:
    write("hello.py", SAYS_ITS_FILE)
    write("explodes.py", "raise RuntimeError('imported')")
    assert loaded("plugins: {hello: }").names == ["hello"]


def test_a_plugin_is_imported_once_in_a_process(write: Write, loaded: Load) -> None:
    count = "import sys\nsys.counted = getattr(sys, 'counted', 0) + 1\n"
    write("counted.py", count + dedent(SAYS_ITS_FILE))
    loaded("plugins: {counted: }")
    loaded("plugins: {counted: }")
    assert sys.__dict__.pop("counted") == 1


def test_the_bundled_folder_and_the_entry_points_are_the_same_plugins() -> None:
    found = discover([REPOSITORY / "plugins"])
    assert sorted(found) == BUNDLED
    for plugin in found.values():
        assert plugin.module.startswith("chatkit_plugins.")
        assert not plugin.folder


def test_another_file_of_the_same_name_takes_the_place(write: Write, loaded: Load) -> None:
    file = write("anonymous_auth.py", SAYS_ITS_FILE)
    assert answers(loaded("plugins: {anonymous_auth: }")) == [("anonymous_auth", [str(file)])]


def test_of_two_folders_the_later_counts(write: Write, loaded: Load, tmp_path: Path) -> None:
    write("hello.py", SAYS_ITS_FILE)
    other = tmp_path / "other" / "hello.py"
    other.parent.mkdir()
    other.write_text((tmp_path / "my_plugins" / "hello.py").read_text())
    hooks = loaded("plugin_dirs: [my_plugins, other]\nplugins: {hello: }")
    assert answers(hooks) == [("hello", [str(other)])]


def test_a_folder_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert refused("plugin_dirs: [mine]") == f"plugin_dirs: {tmp_path / 'mine'} is not a folder"


# What is refused when a plugin is loaded


def test_an_unknown_plugin_is_named_with_the_nearest(refused: Refused, tmp_path: Path) -> None:
    message = refused("plugins:\n  anonymus_auth:\n")
    start = f"{tmp_path / 'settings.yaml'}:2: plugins.anonymus_auth: unknown plugin. "
    assert message.startswith(start + "Did you mean `anonymous_auth`? Known: anonymous_auth, ")


def test_a_dotted_name_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert refused("plugins:\n  acme_missing.chat:\n") == (
        f"{tmp_path / 'settings.yaml'}:2: plugins.acme_missing.chat: the plugin cannot be "
        "imported: acme_missing.chat: ModuleNotFoundError: No module named 'acme_missing'"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\nimport acme_missing", "3: ModuleNotFoundError: No module named 'acme_missing'"),
        ("from os import nothing", "2: ImportError: cannot import name 'nothing'"),
        ("1 / 0", "2: ZeroDivisionError: division by zero"),
        ("def f(:", "2: SyntaxError: "),
        ("import json\njson.loads('{')", "3: JSONDecodeError: "),
    ],
)
def test_an_error_in_a_plugin_is_reported_with_its_file_and_line(
    write: Write, refused: Refused, tmp_path: Path, text: str, told: str
) -> None:
    file = write("broken.py", text)
    message = refused("plugins:\n  broken:\n")
    assert message.startswith(
        f"{tmp_path / 'settings.yaml'}:2: plugins.broken: the plugin cannot be imported: "
        f"{file}:{told}"
    )


def test_a_plugin_that_failed_to_import_can_be_mended(
    write: Write, loaded: Load, refused: Refused
) -> None:
    write("mended.py", "1 / 0  # a line that is longer than the mended file's first line")
    refused("plugins: {mended: }")
    write("mended.py", SAYS_ITS_FILE)
    assert loaded("plugins: {mended: }").names == ["mended"]


def test_a_module_without_config_takes_no_settings(write: Write, refused: Refused) -> None:
    write("hello.py", SAYS_ITS_FILE)
    assert refused("plugins: {hello: {a: 1}}").endswith(
        "plugins.hello: this plugin has no settings; leave its section empty"
    )


WITH_CONFIG = """
    from pydantic import BaseModel

    class Config(BaseModel):
        greeting: str
        times: int = 1

    class Plugin:
        made = 0

        def __init__(self, config):
            Plugin.made += 1
            self.config = config

        @hookimpl
        def mcp_servers(self):
            return [self.config.greeting] * self.config.times

        @hookimpl
        def model_providers(self):
            return {self.config.greeting: Plugin.made}
"""


def test_a_class_is_made_once_with_its_settings(write: Write, loaded: Load) -> None:
    write("greeter.py", WITH_CONFIG)
    hooks = loaded("plugins: {greeter: {greeting: hi, times: 2}}")
    assert answers(hooks) == answers(hooks) == [("greeter", ["hi", "hi"])]
    assert answers(hooks, "model_providers") == [("greeter", {"hi": 1})]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("", "2: plugins.greeter.greeting: this key is needed and missing"),
        ("{greetin: hi}", "2: plugins.greeter.greetin: unknown key. Did you mean `greeting`?"),
        ("{greeting: hi, times: often}", "2: plugins.greeter.times: Input should be a valid int"),
    ],
)
def test_a_section_is_validated_with_the_plugins_own_model(
    write: Write, refused: Refused, tmp_path: Path, section: str, told: str
) -> None:
    write("greeter.py", WITH_CONFIG)
    message = refused(f"plugins:\n  greeter: {section}\n")
    assert f"{tmp_path / 'settings.yaml'}:{told}" in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("class Plugin:\n    def __init__(self):\n        raise OSError('no disk')", "no disk"),
        ("class Plugin:\n    def __init__(self, config): pass", "missing 1 required positional"),
        ("class Config: pass\nclass Plugin: pass", "`Config` must be a pydantic.BaseModel"),
        (
            "from pydantic import BaseModel\nclass Config(BaseModel): pass",
            "needs a class `Plugin` to take it",
        ),
        (
            "from chatkit_server import SettingsError\nclass Plugin:\n"
            "    def __init__(self):\n        raise SettingsError('key: too short')",
            "plugins.bad: key: too short",
        ),
        (
            "class Plugin: pass\n@hookimpl\nasync def auth(request): pass",
            "the function `auth` stands outside of the class `Plugin`",
        ),
    ],
)
def test_a_plugin_that_cannot_be_made(
    write: Write, refused: Refused, tmp_path: Path, text: str, told: str
) -> None:
    write("bad.py", text)
    message = refused("plugins:\n  bad:\n")
    assert message.startswith(f"{tmp_path / 'settings.yaml'}:2: plugins.bad: ")
    assert told in message


# Hook implementations that cannot work


class SyncAuth:
    @hookimpl
    def auth(self, request: object) -> None: ...


class AsyncStore:
    @hookimpl
    async def store(self) -> None: ...


class YieldingAction:
    @hookimpl
    async def action(self, turn: object) -> Any:
        yield turn


class Wrapper:
    @hookimpl(wrapper=True)
    def pre_turn(self, turn: object) -> Any:
        return (yield)


class OldWrapper:
    @hookimpl(hookwrapper=True)
    def setup(self, app: object) -> Any:
        yield


class AsyncWrapper:
    @hookimpl(wrapper=True)
    async def pre_turn(self, turn: object) -> None: ...


class UnknownHook:
    @hookimpl
    async def pre_trun(self, turn: object) -> None: ...


class TooManyArguments:
    @hookimpl
    async def pre_turn(self, turn: object, thread: object) -> None: ...


class KeywordOnly:
    @hookimpl
    async def pre_turn(self, *, turn: object) -> None: ...


class PositionalOnly:
    @hookimpl
    async def pre_turn(self, turn: object, /) -> None: ...


@pytest.mark.parametrize(
    ("plugin", "told"),
    [
        (SyncAuth(), "auth: must be a plain `async def`"),
        (AsyncStore(), "store: must be a plain `def`"),
        (YieldingAction(), "action: must be a plain `async def`, without `yield`"),
        (Wrapper(), "pre_turn: hook wrappers are not supported"),
        (OldWrapper(), "setup: hook wrappers are not supported"),
        (AsyncWrapper(), "Declared as wrapper=True"),
        (UnknownHook(), "`pre_trun` is not a hook. Did you mean `pre_turn`?"),
        (TooManyArguments(), "Argument(s) {'thread'} are declared in the hookimpl"),
        (KeywordOnly(), "pre_turn: write its arguments as in the spec"),
        (PositionalOnly(), "pre_turn: write its arguments as in the spec"),
    ],
)
def test_what_cannot_work_is_refused_with_the_plugins_name(plugin: object, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        Hooks.of([("fine", Recorder("fine", [])), ("wrong", plugin)])
    message = str(error.value)
    assert message.startswith("plugin wrong: ")
    assert told in message
    assert "\n" not in message


def test_a_plugin_enabled_under_two_names(loaded: Load, site: Callable[[str, str], None]) -> None:
    site("strange_hello.py", "from chatkit_server import hookimpl\n" + dedent(SAYS_ITS_FILE))
    entry_point(site, "hello", "strange_hello")
    site("strange_pack/__init__.py", "")
    site(
        "strange_pack/hello.py", "import sys, strange_hello\nsys.modules[__name__] = strange_hello"
    )
    with pytest.raises(SettingsError, match=r"plugin hello: enabled already, as `strange_pack\.he"):
        loaded("plugins: {hello: , strange_pack.hello: }")


def test_only_marked_functions_count(caplog: pytest.LogCaptureFixture) -> None:
    class Helpers:
        @hookimpl
        async def post_turn(self) -> None: ...

        async def pre_trun(self) -> None: ...

        def auth(self, one: object, two: object) -> None: ...

    hooks = Hooks.of([("helpers", Helpers())])
    assert hooks.implemented("post_turn")
    assert not hooks.implemented("auth")
    assert caplog.messages == ["plugin helpers: `auth` is not called: it is not marked @hookimpl"]


def test_a_plugin_without_hooks_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    Hooks.of([("nothing", object())])
    assert caplog.messages == ["plugin nothing implements no hook: mark its functions @hookimpl"]


def test_a_hook_that_may_be_unknown() -> None:
    class FromTheFuture:
        @hookimpl(optionalhook=True)
        async def hook_of_a_later_version(self) -> None: ...

    assert Hooks.of([("future", FromTheFuture())]).names == ["future"]


# How hooks are called


class Recorder:
    """Notes each call, and answers what it was made with."""

    def __init__(self, name: str, called: list[str], answer: Any = None) -> None:
        self.name, self.called, self.answer = name, called, answer

    async def do(self) -> Any:
        await asyncio.sleep(0)
        self.called.append(self.name)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @hookimpl
    async def auth(self) -> Any:
        return await self.do()

    @hookimpl
    async def pre_turn(self) -> Any:
        return await self.do()


class First(Recorder):
    @hookimpl(tryfirst=True)
    async def pre_turn(self) -> Any:
        return await self.do()


class Last(Recorder):
    @hookimpl(trylast=True)
    async def pre_turn(self) -> Any:
        return await self.do()


async def test_the_order_is_that_of_the_settings() -> None:
    called: list[str] = []
    hooks = Hooks.of([(name, Recorder(name, called)) for name in "cab"])
    await hooks.each("pre_turn", turn=None)
    assert called == ["c", "a", "b"]
    assert hooks.names == ["c", "a", "b"]
    assert [name for name, _ in hooks.plugins] == ["c", "a", "b"]
    assert [name for name, _ in hooks.calls("auth", request=None)] == ["c", "a", "b"]


async def test_tryfirst_and_trylast() -> None:
    called: list[str] = []
    kinds = [("z", Last), ("a", Recorder), ("f", First), ("b", Recorder), ("g", First)]
    hooks = Hooks.of([(name, kind(name, called)) for name, kind in kinds])
    await hooks.each("pre_turn", turn=None)
    assert called == ["f", "g", "a", "b", "z"]


async def test_loaded_plugins_are_called_in_the_order_of_the_settings(
    write: Write, loaded: Load
) -> None:
    for name in "abc":
        write(f"{name}.py", SAYS_ITS_FILE)
    hooks = loaded("plugins: {b: , c: , a: }")
    assert [name for name, _ in hooks.boot("mcp_servers")] == ["b", "c", "a"]


async def test_first_stops_at_the_first_answer() -> None:
    called: list[str] = []
    given = [("a", None), ("b", ""), ("c", "never")]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    # a coroutine made and not awaited would be a warning, and so an error
    assert await hooks.first("auth", request=None) == ""
    assert called == ["a", "b"]


async def test_first_is_none_where_nobody_answers() -> None:
    called: list[str] = []
    hooks = Hooks.of([(name, Recorder(name, called)) for name in "ab"])
    assert await hooks.first("auth", request=None) is None
    assert called == ["a", "b"]
    assert await Hooks.of([]).first("auth", request=None) is None


@pytest.mark.parametrize("way", ["first", "each"])
async def test_an_error_ends_the_calls(way: str, caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    given = [("a", None), ("b", RuntimeError("broken")), ("c", "never")]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    with pytest.raises(RuntimeError, match="broken"):
        await getattr(hooks, way)("pre_turn", turn=None)
    assert called == ["a", "b"]
    assert caplog.messages == ["plugin b failed in pre_turn"]


async def test_an_error_for_the_user_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks.of([("a", Recorder("a", [], BadRequest("No.")))])
    with pytest.raises(BadRequest):
        await hooks.each("pre_turn", turn=None)
    assert caplog.messages == []


async def test_each_alone_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    given = [("a", RuntimeError("broken")), ("b", "answer"), ("c", BadRequest("No."))]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    await hooks.each_alone("pre_turn", turn=None)
    assert called == ["a", "b", "c"]
    assert caplog.messages == ["plugin a failed in pre_turn", "plugin c failed in pre_turn"]
    assert caplog.records[0].exc_info is not None


async def test_each_alone_can_be_cancelled() -> None:
    called: list[str] = []
    given = [("a", asyncio.CancelledError()), ("b", None)]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    with pytest.raises(asyncio.CancelledError):
        await hooks.each_alone("pre_turn", turn=None)
    assert called == ["a"]


async def test_a_plugin_may_leave_arguments_out_or_give_them_a_default() -> None:
    seen: list[Any] = []

    class Some:
        @hookimpl
        async def tool_result(self, result: object) -> None:
            seen.append(result)

    class Defaults:
        @hookimpl
        async def tool_result(self, call: object, turn: object = None, own: int = 7) -> None:
            seen.append((call, turn, own))

    hooks = Hooks.of([("some", Some()), ("defaults", Defaults())])
    await hooks.each("tool_result", turn="t", call="c", result="r")
    assert seen == ["r", ("c", "t", 7)]


def test_boot_gives_the_answers_in_order_and_leaves_none_out() -> None:
    class Servers:
        def __init__(self, *servers: str) -> None:
            self.servers = list(servers) or None

        @hookimpl
        def mcp_servers(self) -> Any:
            return self.servers

    hooks = Hooks.of([("a", Servers("1", "2")), ("b", Servers()), ("c", Servers("3"))])
    assert answers(hooks) == [("a", ["1", "2"]), ("c", ["3"])]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SettingsError("url: cannot be reached"), "plugin bad: url: cannot be reached"),
        (OSError("no disk"), "plugin bad: store: OSError('no disk')"),
    ],
)
def test_an_error_at_boot_names_the_plugin(error: Exception, told: str) -> None:
    class Bad:
        @hookimpl
        def store(self) -> Any:
            raise error

    with pytest.raises(SettingsError) as raised:
        answers(Hooks.of([("bad", Bad())]), "store")
    assert str(raised.value) == told


async def test_two_applications_do_not_share_their_plugins(write: Write, loaded: Load) -> None:
    write("greeter.py", WITH_CONFIG)
    one = loaded("plugins: {greeter: {greeting: one}}")
    two = loaded("plugins: {greeter: {greeting: two}}")
    assert answers(one) == [("greeter", ["one"])]
    assert answers(two) == [("greeter", ["two"])]


def test_loading_logs_nothing_where_all_is_well(
    write: Write, loaded: Load, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    write("greeter.py", WITH_CONFIG)
    loaded("plugins: {greeter: {greeting: hi}}")
    assert caplog.messages == []
