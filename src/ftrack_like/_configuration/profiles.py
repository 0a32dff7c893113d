"""The profiles of a user: a name for a server address, a user and an API key.

The file is TOML::

    default = "studio"

    [profiles.studio]
    server_url = "https://studio.ftrackapp.com"
    api_user = "jane.doe"
    keyring = true

With ``keyring = true`` the key is in the keyring of the system; otherwise it is ``api_key``. The
optional ``cache`` is the address of a shared cache.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._base.suggest import did_you_mean
from ftrack_like._configuration import keys
from ftrack_like._configuration.files import (
    CONFIG_VARIABLE,
    profile_path,
    read_profile_text,
    replace_profile_text,
    warn_if_readable_by_others,
    writing_profiles,
)
from ftrack_like._configuration.toml_text import (
    parsed_toml,
    with_default,
    with_table,
    without_table,
)
from ftrack_like._transport.connection_settings import checked_server_url

__all__ = [
    "PROFILE_VARIABLE",
    "Profile",
    "Profiles",
    "forget_profile",
    "load_profiles",
    "save_profile",
    "set_default_profile",
]

#: The environment variable with the name of the profile to use.
PROFILE_VARIABLE = "FTRACK_PROFILE"
#: The keys of a profile in the file.
_KEYS = ("server_url", "api_user", "api_key", "keyring")
_FIRST_LINE = "# Profiles of ftrack-like. Keep this file private: it may contain API keys.\n"


class Profile(NamedTuple):
    """A profile: its *name*, server address and user, and its key unless that is in a keyring.

    *origin* describes the profile in errors. *cache* is the address of a shared cache, or None.
    ``repr`` does not show the key.
    """

    name: str
    server_url: str
    api_user: str
    api_key: Optional[str] = None
    origin: str = ""
    cache: Optional[str] = None

    def __repr__(self) -> str:
        """Return name, server and user."""
        return f"{type(self).__name__}({self.name!r}, {self.server_url!r}, {self.api_user!r})"

    @property
    def in_keyring(self) -> bool:
        """Whether the key is in the keyring of the system."""
        return self.api_key is None

    def key(self) -> str:
        """Return the key, from the keyring if it is there.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` if the keyring does not have it.
        """
        if self.api_key is not None:
            return self.api_key
        return keys.key_in_keyring(self.name, self.server_url, self.api_user)


class Profiles:
    """The content of a profile file. *path* is None if the user has no place for one."""

    def __init__(self, path: Optional[str], data: Mapping[str, Any], exists: bool) -> None:
        """Initialise with the value *data* of the file."""
        self.path = path
        self.exists = exists
        self._data = data

    @property
    def names(self) -> list[str]:
        """The names of all profiles, in the order of the file."""
        return list(self._tables())

    def _tables(self) -> Mapping[str, Any]:
        tables = self._data.get("profiles", {})
        if not isinstance(tables, Mapping):
            raise self._wrong("profiles", "a table for each profile, such as [profiles.studio]")
        return tables

    @property
    def default(self) -> Optional[str]:
        """The name of the default profile; None if there is no default.

        A single profile is the default without an entry.
        """
        chosen = self._data.get("default")
        if chosen is not None:
            if not isinstance(chosen, str):
                raise self._wrong("default", "the name of a profile")
            return chosen
        names = self.names
        return names[0] if len(names) == 1 else None

    def get(self, name: str, chosen_by: str = "") -> Profile:
        """Return the profile *name*, which *chosen_by* names.

        Raise :exc:`~ftrack_like.exception.ConfigurationError` if it is missing or invalid.
        """
        table = self._tables().get(name) if isinstance(name, str) else None
        if table is None:
            raise self._missing_profile(name, chosen_by)
        place = f"profiles.{name}"
        if not isinstance(table, Mapping):
            raise self._wrong(place, "a table with server_url, api_user and api_key")
        for key in ("server_url", "api_user", *(() if self._keyring(table, place) else _KEYS[2:3])):
            if not isinstance(table.get(key), str) or not table[key].strip():
                raise self._wrong(f"{place}.{key}", "a text that is not empty")
        origin = f"the profile {name!r} in {self.path}"
        key = None if self._keyring(table, place) else table["api_key"]
        address = checked_server_url(table["server_url"], origin)
        if key is not None and self.path is not None:
            warn_if_readable_by_others(self.path)
        cache = table.get("cache")
        if cache is not None and (not isinstance(cache, str) or not cache.strip()):
            raise self._wrong(f"{place}.cache", "the address of a cache, such as redis://HOST/0")
        return Profile(name, address, table["api_user"], key, origin, cache)

    def _keyring(self, table: Mapping[str, Any], place: str) -> bool:
        """Return whether the key of *table* is in the keyring."""
        value = table.get("keyring", False)
        if not isinstance(value, bool):
            raise self._wrong(f"{place}.keyring", "true or false")
        return value

    def selected(self, environment: Optional[Mapping[str, str]] = None) -> Optional[Profile]:
        """Return the profile that FTRACK_PROFILE names, else the default one, else None."""
        variables = os.environ if environment is None else environment
        chosen = variables.get(PROFILE_VARIABLE)
        if chosen:
            return self.get(chosen, f"The environment variable {PROFILE_VARIABLE} names it.")
        name = self.default
        if name is None:
            return None
        return self.get(name, f"It is the default in {self.path}.")

    def _missing_profile(self, name: object, chosen_by: str) -> exception.ConfigurationError:
        """Return the error for a profile that is not in the file."""
        where = self.path or "any file, because this user has no home"
        lines = [f"There is no profile {name!r} in {where}. {chosen_by}".rstrip()]
        names = self.names
        if names:
            lines.append(f"There are: {', '.join(names)}. {did_you_mean(str(name), names)}".strip())
        lines.append(f"Create it with: ftrack-like login --profile {name}")
        return exception.ConfigurationError("\n".join(lines))

    def _wrong(self, place: str, wanted: str) -> exception.ConfigurationError:
        """Return the error for the value at *place*, which must be *wanted*. It shows no value."""
        return exception.ConfigurationError(
            f"The profile file {self.path} is wrong: {place} must be {wanted}.\n"
            "Correct the file, or write the profile again with: ftrack-like login"
        )


def load_profiles(environment: Optional[Mapping[str, str]] = None) -> Profiles:
    """Return the profiles of the user; none if there is no file.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if the file cannot be read.
    """
    path = profile_path(environment)
    if path is None:
        return Profiles(None, {}, exists=False)
    text = _file_text(path)
    return Profiles(path, {} if text is None else parsed_toml(text, path), text is not None)


def _file_text(path: str) -> Optional[str]:
    """Return the text of the file at *path*; None without a file."""
    try:
        return read_profile_text(path)
    except OSError as error:
        raise exception.ConfigurationError(
            f"The profile file {path} cannot be read: {error.strerror or error}.\n"
            f"Change its permissions, or set {CONFIG_VARIABLE} to another file."
        ) from error


def save_profile(
    profile: Profile, make_default: bool = True, environment: Optional[Mapping[str, str]] = None
) -> str:
    """Write *profile*, as the default if *make_default*; return the path of the file.

    The first profile always becomes the default. The rest of the file stays. Raise
    :exc:`~ftrack_like.exception.ConfigurationError` if the file cannot be read or written.
    """
    values: dict[str, object] = {"server_url": profile.server_url, "api_user": profile.api_user}
    values.update({"keyring": True} if profile.in_keyring else {"api_key": profile.api_key})

    def change(text: str, data: dict[str, Any]) -> str:
        tables = data.setdefault("profiles", {})
        is_first = not tables
        others = {k: v for k, v in tables.get(profile.name, {}).items() if k not in _KEYS}
        tables[profile.name] = {**values, **others}
        text = with_table(text, profile.name, values, _KEYS)
        if make_default or is_first:
            data["default"] = profile.name
            text = with_default(text, profile.name)
        return text

    return _change_file(change, environment)


def forget_profile(name: str, environment: Optional[Mapping[str, str]] = None) -> Profile:
    """Remove the profile *name* from the file, and return it.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if there is no such profile.
    """
    removed: list[Profile] = []

    def change(text: str, data: dict[str, Any]) -> str:
        removed[:] = [Profiles(profile_path(environment), data, exists=True).get(name)]
        del data["profiles"][name]
        text = without_table(text, name)
        if data.get("default") == name:
            del data["default"]
            text = with_default(text, None)
        return text

    _change_file(change, environment)
    return removed[0]


def set_default_profile(name: str, environment: Optional[Mapping[str, str]] = None) -> str:
    """Make the profile *name* the default; return the path of the file.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if there is no such profile.
    """

    def change(text: str, data: dict[str, Any]) -> str:
        Profiles(profile_path(environment), data, exists=True).get(name)
        data["default"] = name
        return with_default(text, name)

    return _change_file(change, environment)


def _change_file(
    change: Callable[[str, dict[str, Any]], str], environment: Optional[Mapping[str, str]]
) -> str:
    """Replace the file by the result of *change*, which gets its text and its value.

    *change* also changes the value. If the new text has another value, the file is written in a way
    that this module does not change; then raise
    :exc:`~ftrack_like.exception.ConfigurationError` and leave the file alone.
    """
    path = profile_path(environment)
    if path is None:
        raise exception.ConfigurationError(
            "This user has no folder for settings (no HOME and no entry in the user database).\n"
            f"Set {CONFIG_VARIABLE} to a file that you can write."
        )
    with writing_profiles(path):
        text = _file_text(path)
        if text is None:
            text = _FIRST_LINE
        data = copy.deepcopy(parsed_toml(text, path))
        Profiles(path, data, exists=True).names  # noqa: B018 - raises an error for wrong tables
        changed = change(text, data)
        if _without_empty(parsed_toml(changed, path)) != _without_empty(data):
            raise exception.ConfigurationError(
                f"The profile file {path} is written in a form that cannot be changed without "
                "losing parts of it.\nWrite each profile as a table with a header such as "
                "[profiles.studio], or edit the file yourself."
            )
        replace_profile_text(path, changed)
    return path


def _without_empty(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return *data* without an empty table of profiles."""
    return {name: value for name, value in data.items() if value != {} or name != "profiles"}
