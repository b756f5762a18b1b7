"""Plugins are found, validated, ordered and called; what cannot work is refused by name."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from chatkit_server import BadRequest, SettingsError, User, hookimpl
from chatkit_server.plugin.call import PluginFailed
from chatkit_server.plugin.calls import Hooks
from chatkit_server.plugin.discovery import discover
from chatkit_server.plugin.load import load_plugins
from chatkit_server.settings.load import load
from chatkit_server.settings.problems import Problems

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


def answers(hooks: Hooks) -> list[tuple[str, list[str]]]:
    """Return the words that each plugin answers with, in a hook whose answers are plain."""
    return [(name, list(answer)) for name, answer in hooks.boot_all("tortoise_apps")]


SAYS_ITS_FILE = """
    @hookimpl
    def tortoise_apps():
        return {__file__: {}}
"""


# Where plugins are found


def test_bundled_plugins_are_found_through_entry_points() -> None:
    assert "anonymous_auth" in BUNDLED
    found = discover([], Problems())
    assert sorted(found) == BUNDLED
    assert found["anonymous_auth"].module == "chatkit_plugins.anonymous_auth"


def test_a_strangers_package_is_found_as_a_bundled_one(
    loaded: Load, site: Callable[[str, str], None]
) -> None:
    site("strange_hello.py", "from chatkit_server import hookimpl\n" + dedent(SAYS_ITS_FILE))
    entry_point(site, "hello", "strange_hello")
    hooks = loaded("plugins: {hello: }")
    assert hooks.names == ["hello"]
    [(name, [file])] = answers(hooks)
    assert (name, Path(file).name) == ("hello", "strange_hello.py")


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
        def tortoise_apps():
            return {WORD: {}}
        """,
    )
    assert answers(loaded("plugins: {greeter: }")) == [("greeter", ["good day"])]


SHARES = """
    {imports}

    @hookimpl
    def tortoise_apps():
        return {{{word}: {{}}}}
"""


@pytest.mark.parametrize(
    ("imports", "word"),
    [
        ("import shared", "shared.WORD"),
        ("from shared import WORD", "WORD"),
        ("from . import shared", "shared.WORD"),
        ("from .shared import WORD", "WORD"),
        ("import shared as other", "other.WORD"),
        ("import words.deep", "words.deep.WORD"),
        ("from words import deep", "deep.WORD"),
        ("from words.deep import WORD", "WORD"),
        ("def late():\n        import shared\n        return shared", "late().WORD"),
    ],
)
def test_plugins_share_a_module_beside_them(
    write: Write, loaded: Load, imports: str, word: str
) -> None:
    write("shared.py", "import _more\nWORD = _more.WORD")
    write("_more.py", "WORD = 'good day'")
    write("words/__init__.py", "")
    write("words/deep.py", "WORD = 'good day'")
    for name in ("one", "two"):
        write(f"{name}.py", SHARES.format(imports=imports, word=word))
    hooks = loaded("plugins: {one: , two: }")
    assert answers(hooks) == [("one", ["good day"]), ("two", ["good day"])]
    assert not {"shared", "words", "_more"} & set(sys.modules)


def test_modules_of_the_same_name_in_two_folders_do_not_mix(write: Write, loaded: Load) -> None:
    for name in ("one", "two"):
        text = SHARES.format(imports="from shared import WORD", word="WORD")
        write(f"../{name}_dir/{name}.py", text)
        write(f"../{name}_dir/shared.py", f"WORD = 'this is {name}'")
    hooks = loaded("plugin_dirs: [one_dir, two_dir]\nplugins: {one: , two: }")
    assert answers(hooks) == [("one", ["this is one"]), ("two", ["this is two"])]


def test_an_installed_module_comes_before_one_beside_the_plugin(write: Write, loaded: Load) -> None:
    """A plugin may have the name of the library that it uses."""
    write("yaml.py", SHARES.format(imports="import yaml", word="yaml.safe_load('5 days')"))
    assert answers(loaded("plugins: {yaml: }")) == [("yaml", ["5 days"])]


def test_a_module_that_is_nowhere(write: Write, refused: Refused) -> None:
    file = write("bad.py", "import shard")
    assert refused("plugins: {bad: }").endswith(
        f"{file}:2: ModuleNotFoundError: No module named 'shard'"
    )


def test_an_import_that_fails_beside_a_plugin_says_where(write: Write, refused: Refused) -> None:
    write("bad.py", "import shared")
    write("shared.py", "import missing_thing")
    assert "No module named 'missing_thing'" in refused("plugins: {bad: }")


def test_a_dotted_name(loaded: Load, site: Callable[[str, str], None]) -> None:
    site("strange_pack/__init__.py", "")
    site("strange_pack/hello.py", "from chatkit_server import hookimpl\n" + dedent(SAYS_ITS_FILE))
    hooks = loaded("plugins: {strange_pack.hello: }")
    assert hooks.names == ["strange_pack.hello"]


def test_other_files_in_a_folder_are_no_plugins(write: Write, tmp_path: Path) -> None:
    for name in ("_private.py", ".hidden.py", "notes.txt", "data/words.py", "__init__.py"):
        write(name, "")
    assert sorted(discover([tmp_path / "my_plugins"], Problems())) == BUNDLED


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
    found = discover([REPOSITORY / "plugins"], Problems())
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
    assert message.endswith(". Plugin folders: none")


def test_an_unknown_plugin_is_told_with_the_folders(
    refused: Refused, write: Write, tmp_path: Path
) -> None:
    write("one.py", "")
    assert refused("plugins:\n  two:\n").endswith(f". Plugin folders: {tmp_path / 'my_plugins'}")


def test_a_dotted_name_that_is_not_there(refused: Refused, tmp_path: Path) -> None:
    assert refused("plugins:\n  acme_missing.chat:\n").startswith(
        f"{tmp_path / 'settings.yaml'}:2: plugins.acme_missing.chat: the plugin cannot be "
        "imported: acme_missing.chat: ModuleNotFoundError: No module named 'acme_missing'. Install "
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
        "plugins.hello: this plugin has no settings. Leave its section empty"
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
        def tortoise_apps(self):
            return {f"{self.config.greeting} {i}": {} for i in range(self.config.times)}

        @hookimpl
        def mcp_servers(self):
            assert Plugin.made == 1
"""


def test_a_class_is_made_once_with_its_settings(write: Write, loaded: Load) -> None:
    write("greeter.py", WITH_CONFIG)
    hooks = loaded("plugins: {greeter: {greeting: hi, times: 2}}")
    assert answers(hooks) == answers(hooks) == [("greeter", ["hi 0", "hi 1"])]
    assert hooks.boot_all("mcp_servers") == []


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("", "2: plugins.greeter.greeting: this key is required"),
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
        (
            "class Plugin:\n    def __init__(self, config): pass",
            "{file}:3: `Plugin` is called without arguments, since the module has no `Config`: ",
        ),
        (
            "class Config: pass\nclass Plugin: pass",
            "{file}:2: `Config` must be a subclass of pydantic.BaseModel",
        ),
        ("Config = 5", "`Config` must be a subclass of pydantic.BaseModel"),
        ("Plugin = 5", "{file}: `Plugin` must be a class"),
        (
            "from pydantic import BaseModel\nclass Config(BaseModel): pass",
            "{file}:3: a plugin with a `Config` needs a class `Plugin` that takes it",
        ),
        (
            "from pydantic import BaseModel\nclass Config(BaseModel): pass\nclass Plugin: pass",
            "{file}:4: `Plugin` is called with its `Config`: write `def __init__(self, config: ",
        ),
        (
            "from pydantic import BaseModel\nclass Config(BaseModel): pass\n"
            "class Plugin:\n    def __init__(config): pass",
            "{file}:5: `Plugin` is called with its `Config`: write `def __init__(self, config: ",
        ),
        (
            "from pydantic import BaseModel, model_validator\nclass Config(BaseModel):\n"
            "    @model_validator(mode='after')\n    def check(self): return {}[1]\n"
            "class Plugin:\n    def __init__(self, config): pass",
            "its `Config` failed: ",
        ),
        (
            "from chatkit_server import SettingsError\nclass Plugin:\n"
            "    def __init__(self):\n        raise SettingsError('key: too short')",
            "plugins.bad: key: too short",
        ),
        (
            "class Plugin: pass\n@hookimpl\nasync def auth(request): pass",
            "{file}:4: the function `auth` is outside of the class `Plugin`",
        ),
    ],
)
def test_a_plugin_that_cannot_be_made(
    write: Write, refused: Refused, tmp_path: Path, text: str, told: str
) -> None:
    file = write("bad.py", text)
    message = refused("plugins:\n  bad:\n")
    assert message.startswith(f"{tmp_path / 'settings.yaml'}:2: plugins.bad: ")
    assert told.format(file=file) in message
    assert "\n" not in message


def test_a_section_for_a_plugin_class_without_config(write: Write, refused: Refused) -> None:
    file = write("bad.py", "class Plugin: pass")
    told = f"Leave its section empty, or add a class `Config` to {file}"
    assert refused("plugins: {bad: {a: 1}}").endswith(told)


def test_all_plugins_that_cannot_be_loaded_are_told_at_once(write: Write, refused: Refused) -> None:
    write("greeter.py", WITH_CONFIG)
    write("broken.py", "1 / 0")
    text = """
        plugin_dirs: [my_plugins, nowhere]
        plugins:
          greeter: {times: often}
          unknown:
          broken:
    """
    lines = refused(text).splitlines()
    assert [re.sub(r"^/[^:]*:\d+: ", "", line).split(": ")[:2] for line in lines] == [
        ["plugin_dirs", lines[0].partition(": ")[2]],
        ["plugins.greeter.greeting", "this key is required"],
        ["plugins.greeter.times", lines[2].split(": ")[2]],
        ["plugins.unknown", lines[3].split(": ")[2]],
        ["plugins.broken", "the plugin cannot be imported"],
    ]


# Hook implementations that cannot work


class SyncAuth:
    @hookimpl
    def auth(self, request: object) -> None: ...


class AsyncStore:
    @hookimpl
    async def store(self) -> None: ...


class AsyncSetup:
    @hookimpl
    async def setup(self, app: object) -> None: ...


class YieldingPersist:
    @hookimpl
    async def persist(self, turn: object) -> Any:
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


class AlmostRight:
    @hookimpl
    async def persist(self, turn: object, itme: object) -> None: ...


class ArgumentOfNone:
    @hookimpl
    def store(self, app: object) -> None: ...


class WithoutSelf:
    @hookimpl
    async def pre_turn(turn: object) -> None: ...


class WithNothing:
    @hookimpl
    async def migrate() -> None: ...  # type: ignore[misc]


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
        (AsyncSetup(), "setup: must be a plain `def`, or an `async def` with one `yield`"),
        (YieldingPersist(), "persist: must be a plain `async def`, without `yield`"),
        (Wrapper(), "pre_turn: hook wrappers are not supported"),
        (OldWrapper(), "setup: hook wrappers are not supported"),
        (AsyncWrapper(), "pre_turn: hook wrappers are not supported"),
        (UnknownHook(), "`pre_trun` is not a hook. Did you mean `pre_turn`? Hooks: setup, store, "),
        (TooManyArguments(), "pre_turn: unknown argument `thread`. Arguments: turn"),
        (AlmostRight(), "persist: unknown argument `itme`. Did you mean `item`? Arguments: turn, "),
        (ArgumentOfNone(), "store: unknown argument `app`. It takes no arguments"),
        (KeywordOnly(), "pre_turn: `turn` is keyword-only: remove the `*`. Arguments: turn"),
        (PositionalOnly(), "pre_turn: `turn` is positional-only: remove the `/`. Arguments: turn"),
        (WithoutSelf(), "pre_turn: the method needs `self` as its first argument. Arguments: turn"),
        (WithNothing(), "migrate: the method needs `self` as its first argument. It takes no ar"),
    ],
)
def test_what_cannot_work_is_refused_with_the_plugins_name(plugin: object, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        Hooks.of([("fine", Recorder("fine", [])), ("wrong", plugin)])
    [line] = str(error.value).splitlines()
    lines, start = inspect.getsourcelines(type(plugin))
    define = next(start + i for i, text in enumerate(lines) if "def " in text)
    assert line.startswith(f"plugin wrong: {__file__}:{define}: ")
    assert told in line


def test_all_that_cannot_work_is_refused_at_once() -> None:
    with pytest.raises(SettingsError) as error:
        Hooks.of([("one", SyncAuth()), ("two", UnknownHook()), ("fine", Recorder("fine", []))])
    assert [line.split(":")[0] for line in str(error.value).splitlines()] == [
        "plugin one",
        "plugin two",
    ]


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

        def auth(self, request: object) -> None: ...

        def context(self, app: object) -> None: ...

    hooks = Hooks.of([("helpers", Helpers())])
    assert hooks.implemented("post_turn")
    assert not hooks.implemented("auth")
    line = inspect.getsourcelines(Helpers.auth)[1]
    assert caplog.messages == [
        f"plugin helpers: {__file__}:{line}: `auth` is not called: mark it @hookimpl"
    ]


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
    assert [name for name, _ in answers(hooks)] == ["b", "c", "a"]


async def test_first_stops_at_the_first_answer() -> None:
    called: list[str] = []
    given = [("a", None), ("b", User("b")), ("c", User("c"))]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    # a coroutine made and not awaited would be a warning, and so an error
    assert await hooks.first("auth", request=None) == User("b")
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
    given = [("a", None), ("b", RuntimeError("broken")), ("c", None)]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    with pytest.raises(PluginFailed) as raised:
        await getattr(hooks, way)("pre_turn", turn=None)
    assert repr(raised.value.__cause__) == "RuntimeError('broken')"
    assert raised.value.status == 500
    assert not raised.value.allow_retry
    assert "broken" not in raised.value.message
    assert called == ["a", "b"]
    [record] = caplog.records
    assert record.getMessage() == "plugin b: pre_turn failed"
    assert record.exc_info is not None


async def test_an_error_for_the_user_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    hooks = Hooks.of([("a", Recorder("a", [], BadRequest("No.")))])
    with pytest.raises(BadRequest):
        await hooks.each("pre_turn", turn=None)
    assert caplog.messages == []


async def test_each_isolated_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    given = [("a", RuntimeError("broken")), ("b", "answer"), ("c", BadRequest("No.")), ("d", None)]
    hooks = Hooks.of([(name, Recorder(name, called, answer)) for name, answer in given])
    await hooks.each_isolated("pre_turn", turn=None)
    assert called == ["a", "b", "c", "d"]
    assert caplog.messages == [
        "plugin a: pre_turn failed",
        "plugin b: pre_turn returned a str, expected nothing: `pre_turn` changes `turn`",
        "plugin c: pre_turn failed: BadRequest: No.",
    ]
    assert [bool(record.exc_info) for record in caplog.records] == [True, False, False]


async def test_each_isolated_can_be_cancelled() -> None:
    called: list[str] = []
    waits = asyncio.Event()

    class Waits:
        @hookimpl
        async def pre_turn(self) -> None:
            waits.set()
            await asyncio.Event().wait()

    hooks = Hooks.of([("a", Waits()), ("b", Recorder("b", called))])
    calling = asyncio.create_task(hooks.each_isolated("pre_turn", turn=None))
    await waits.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert called == []


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


class Apps:
    """Answers with Tortoise apps of these names, or with None."""

    def __init__(self, *names: str) -> None:
        self.apps = {name: {"models": [name]} for name in names} or None

    @hookimpl
    def tortoise_apps(self) -> Any:
        return self.apps


def test_boot_all_gives_the_answers_in_order_and_leaves_none_out() -> None:
    hooks = Hooks.of([("a", Apps("1", "2")), ("b", Apps()), ("c", Apps("3"))])
    assert answers(hooks) == [("a", ["1", "2"]), ("c", ["3"])]


def test_boot_first_gives_the_first_answer() -> None:
    hooks = Hooks.of([("a", Apps()), ("b", Apps("1")), ("c", Apps("2"))])
    assert hooks.boot_first("tortoise_apps") == {"1": {"models": ["1"]}}
    assert hooks.boot_first("store") is None


def test_every_failure_of_a_boot_hook_is_told() -> None:
    class Broken:
        @hookimpl
        def tortoise_apps(self) -> Any:
            raise SettingsError("no.")

    with pytest.raises(SettingsError) as error:
        answers(Hooks.of([("a", Broken()), ("b", Apps("1")), ("c", Broken())]))
    assert str(error.value) == "plugin a: no.\nplugin c: no."


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (SettingsError("url: cannot be reached"), "plugin bad: url: cannot be reached"),
        (OSError("no disk"), "plugin bad: store: {place}: OSError: no disk"),
        (OSError("no\ndisk"), "plugin bad: store: {place}: OSError: no disk"),
        (ValueError(), "plugin bad: store: {place}: ValueError"),
    ],
)
def test_an_error_at_boot_names_the_plugin(error: Exception, told: str) -> None:
    class Bad:
        @hookimpl
        def store(self) -> Any:
            raise error

    with pytest.raises(SettingsError) as raised:
        Hooks.of([("bad", Bad())]).boot_first("store")
    line = inspect.getsourcelines(Bad.store)[1] + 2
    assert str(raised.value) == told.format(place=f"{__file__}:{line}")


async def test_two_applications_do_not_share_their_plugins(write: Write, loaded: Load) -> None:
    write("greeter.py", WITH_CONFIG)
    one = loaded("plugins: {greeter: {greeting: one}}")
    two = loaded("plugins: {greeter: {greeting: two}}")
    assert answers(one) == [("greeter", ["one 0"])]
    assert answers(two) == [("greeter", ["two 0"])]


def test_loading_logs_nothing_where_all_is_well(
    write: Write, loaded: Load, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    write("greeter.py", WITH_CONFIG)
    loaded("plugins: {greeter: {greeting: hi}}")
    assert caplog.messages == []
