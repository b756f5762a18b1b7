"""Tasks, workflows and sources as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .widgets import short_url

Given = Mapping[str, Any]


def task_text(task: Given) -> str:
    """Return what a task says."""
    draw = TASKS.get(task.get("type", ""), _other)
    return "\n".join(line for line in draw(task) if line)


def source_text(source: Given) -> str:
    """Return a source in a line: its title, and where it is."""
    where = SOURCES.get(source.get("type", ""), _nowhere)(source)
    more = (where, source.get("attribution"), source.get("description"), source.get("timestamp"))
    told = [str(each) for each in (source.get("title"), *more) if each]
    return " — ".join(dict.fromkeys(told))


def summary_text(workflow: Given) -> str:
    """Return what stands for a workflow that has ended, "" if nothing does."""
    summary = workflow.get("summary") or {}
    if "duration" in summary:
        return f"took {summary['duration']} s"
    return str(summary.get("title") or "")


def _custom(task: Given) -> Iterable[str]:
    return task.get("title") or "", task.get("content") or ""


def _thought(task: Given) -> Iterable[str]:
    return task.get("title") or "", task.get("content") or ""


def _search(task: Given) -> Iterable[str]:
    queries = ", ".join(task.get("queries") or [])
    title = task.get("title") or task.get("title_query") or "Web search"
    yield f"{title}: {queries}" if queries else title
    yield from _sources(task)


def _file(task: Given) -> Iterable[str]:
    yield task.get("title") or "Files"
    yield from _sources(task)


def _image(task: Given) -> Iterable[str]:
    return [f"[image] {task.get('title') or ''}".rstrip()]


def _other(task: Given) -> Iterable[str]:
    return task.get("title") or task.get("type") or "task", task.get("content") or ""


def _sources(task: Given) -> Iterable[str]:
    return (f"  {source_text(source)}" for source in task.get("sources") or [])


def _nowhere(source: Given) -> str:
    return ""


TASKS: dict[str, Callable[[Given], Iterable[str]]] = {
    "custom": _custom,
    "file": _file,
    "image": _image,
    "thought": _thought,
    "web_search": _search,
}

SOURCES: dict[str, Callable[[Given], str]] = {
    "entity": lambda source: str(source.get("label") or source.get("inline_label") or ""),
    "file": lambda source: str(source.get("filename") or ""),
    "url": lambda source: short_url(str(source.get("url") or "")),
}
