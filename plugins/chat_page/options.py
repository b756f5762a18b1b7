"""The options of the element: what the server can do, and what the settings say."""

from __future__ import annotations

import posixpath
from typing import Any

from aiohttp import web

from chatkit_server import HOOKS, SETTINGS

from .config import Config


def element_options(config: Config, app: web.Application) -> dict[str, Any]:
    """Return the options; `options` of the settings win over all else."""
    hooks = app[HOOKS]
    options: dict[str, Any] = {
        "api": _api(config, app),
        "theme": config.theme,
        "history": {"enabled": True, "showDelete": True, "showRename": True},
        "threadItemActions": {"feedback": hooks.implemented("feedback"), "retry": True},
        "thread": {"autoScroll": True},
        "startScreen": _start_screen(config),
        "allowedImageDomains": config.image_domains,
        "composer": {
            "attachments": _attachments(app),
            "dictation": {"enabled": hooks.implemented("transcribe")},
            **_models(app),
        },
    }
    if config.locale:
        options["locale"] = config.locale
    if config.disclaimer:
        options["disclaimer"] = {"text": config.disclaimer}
    return _merged(options, config.options)


def _api(config: Config, app: web.Application) -> dict[str, Any]:
    page = config.path or "/"
    strategy: dict[str, str] = {"type": "two_phase"}
    for _, plugin in app[HOOKS].implementing("attachment_store")[:1]:
        if path := getattr(plugin, "upload_path", None):
            # Also right behind a proxy with a prefix
            strategy = {"type": "direct", "uploadUrl": _relative(path, page)}
    url = _relative(app[SETTINGS].server.path, page)
    return {"url": url, "domainKey": "", "uploadStrategy": strategy}


def _attachments(app: web.Application) -> dict[str, Any]:
    requests = app[SETTINGS].requests
    plugins = app[HOOKS].implementing("attachment_store")
    if not plugins:
        return {"enabled": False}
    largest = min(getattr(plugins[0][1], "max_upload", requests.attachment), requests.attachment)
    return {"enabled": True, "maxSize": largest, "maxCount": requests.attachments}


def _start_screen(config: Config) -> dict[str, Any]:
    prompts = [prompt.model_dump(exclude_none=True) for prompt in config.prompts]
    greeting = {"greeting": config.greeting} if config.greeting else {}
    return {**greeting, **({"prompts": prompts} if prompts else {})}


def _models(app: web.Application) -> dict[str, Any]:
    agent = app[SETTINGS].agent
    if not agent.models:
        return {}
    names = dict.fromkeys([agent.model, *agent.models])
    labels = _labels(list(names))
    return {
        "models": [
            {"id": name, "label": labels[name], "default": name == agent.model} for name in names
        ]
    }


def _labels(names: list[str]) -> dict[str, str]:
    """Return the names without their providers, as far as that tells them apart."""
    short = [name.rpartition("/")[2] for name in names]
    return {
        name: name if short.count(label) > 1 else label
        for name, label in zip(names, short, strict=True)
    }


def _relative(path: str, page: str) -> str:
    """Return a path of the server as the page at another path names it."""
    return posixpath.relpath(path, posixpath.dirname(page))


def _merged(options: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    merged = dict(options)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
