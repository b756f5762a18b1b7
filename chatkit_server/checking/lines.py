"""A line of a `SettingsError` or of the log becomes a finding: where, what is wrong, what to do."""

from __future__ import annotations

import re

from ..finding import Finding, Level

_KEY = r"[^\s:]+"
_WHERE = re.compile(
    rf"""
    (?P<where>
        plugin\ {_KEY} | MCP\ server\ [^:]+ | model\ \S+
        | [^:]*:\d+(:\ [a-z_]\w*(?:\.{_KEY})?(?=:\ ))?      # file:line: key
        | [A-Z][A-Z0-9_]+(:\ [a-z_]\w*(?:\.{_KEY})?(?=:\ ))?  # VARIABLE: key
        | /[^:]*:\ [a-z_]\w*(?:\.{_KEY})?                   # file: key
        | /[^:]*                                            # file
        | [a-z_]+(?:\.{_KEY})?                              # key
    ):\ (?P<told>.*)
    """,
    re.VERBOSE | re.DOTALL,
)
_SENTENCE = re.compile(r"(?<=[^.])\. (?=[A-Z`'\"])|: (?=(?:run|set|add|remove|install) [`a-z])")


def finding_of(line: str, level: Level = "error") -> Finding:
    """Return a finding; what follows the first sentence of a line says what to do."""
    match = _WHERE.fullmatch(line)
    where, told = (match["where"], match["told"]) if match else ("", line)
    problem, *todo = _SENTENCE.split(told, maxsplit=1)
    return Finding(problem, f"{todo[0][0].upper()}{todo[0][1:]}" if todo else "", level, where)


def findings_of(error: BaseException) -> list[Finding]:
    """Return a finding for each line of an error."""
    return [finding_of(line) for line in str(error).splitlines()]


def what_to_do(finding: Finding) -> str:
    """Return what to do, in general where a finding itself does not say it."""
    if finding.todo:
        return finding.todo
    plugin = re.fullmatch(rf"plugin ({_KEY})|\S+: plugins\.(\w+)", finding.where)
    if plugin is not None:
        name = plugin[1] or plugin[2]
        return f"Correct the plugin or its settings, or remove `{name}` from `plugins`"
    if re.search(r":\d+(: |$)|^/", finding.where):
        return "Correct it in the settings file"
    if re.match(r"[A-Z][A-Z0-9_]+(: |$)", finding.where):
        return "Correct the variable"
    return "Look at what it names; the log of the server has more"
