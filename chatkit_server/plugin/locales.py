"""Where plugins have the translations of their words."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ..errors import SettingsError
from ..languages import Languages
from ..settings.schema import Settings

FOLDER = "locale"


def languages_of(plugins: Iterable[tuple[str, object]], settings: Settings) -> Languages:
    """Return the languages of a server with these plugins.

    A plugin's catalogs are in the folder `locale` beside its module, or in the one that its
    attribute `locales` names. Raises `SettingsError` for a folder that is not there, a file that is
    no catalog, and for a `server.language` that has none.
    """
    default = settings.server.language
    languages = Languages([_folder(name, plugin) for name, plugin in plugins], default)
    if not languages.can_say(default):
        where = settings.source.where(("server", "language"))
        known = ", ".join(sorted(languages.known))
        raise SettingsError(f"{where}: no catalog has the language `{default}`. Known: {known}")
    return languages


def _folder(name: str, plugin: object) -> Path:
    # A module that was loaded by hand may be in no list
    module = plugin if hasattr(plugin, "__file__") else sys.modules.get(type(plugin).__module__)
    beside = Path(getattr(module, "__file__", None) or ".").parent
    given = getattr(plugin, "locales", None)
    if given is None:
        return beside / FOLDER
    folder: Path = beside / given
    if not folder.is_dir():
        raise SettingsError(f"plugin {name}: `locales`: {folder} is not a folder")
    return folder
