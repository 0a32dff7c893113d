"""What a session is told by its caller and by the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from ftrack_like import exception
from ftrack_like._transport.settings import checked_server_url

__all__ = [
    "Credentials",
    "cookie_mapping",
    "credentials",
    "header_mapping",
    "lazy_load_policy",
    "plugin_folders",
]


class Credentials(NamedTuple):
    """Which server a session talks to, and as whom; *api_key* stays out of ``repr``."""

    server_url: str
    api_key: str
    api_user: str

    def __repr__(self) -> str:
        """Return the server and the user."""
        return f"{type(self).__name__}({self.server_url!r}, api_user={self.api_user!r})"


def credentials(
    server_url: Optional[str],
    api_key: Optional[str],
    api_user: Optional[str],
    environment: Optional[Mapping[str, str]] = None,
) -> Credentials:
    """Return the credentials, with what is None taken from the *environment*.

    The variables are FTRACK_SERVER, FTRACK_API_KEY (then FTRACK_APIKEY, its older name) and
    FTRACK_API_USER; without the last it is the user of this machine. Raise
    :exc:`~ftrack_like.exception.ConfigurationError`, a :exc:`TypeError`, naming what is missing.
    """
    variables = os.environ if environment is None else environment
    url = server_url or variables.get("FTRACK_SERVER")
    if not url:
        raise _missing("server_url", "FTRACK_SERVER", "https://studio.ftrackapp.com")
    key = api_key or variables.get("FTRACK_API_KEY") or variables.get("FTRACK_APIKEY")
    if not key:
        raise _missing("api_key", "FTRACK_API_KEY", "the key from your account's page")
    user = api_user or variables.get("FTRACK_API_USER") or _machine_user()
    _require_sendable("api_key", "FTRACK_API_KEY", key)
    _require_sendable("api_user", "FTRACK_API_USER", user)
    return Credentials(checked_server_url(url), key, user)


def _missing(argument: str, variable: str, example: str) -> exception.ConfigurationError:
    """Return the error for a required *argument* that is given nowhere."""
    return exception.ConfigurationError(
        f'Required "{argument}" not specified, neither as argument nor by the environment variable '
        f"{variable}.\nPass {argument}=… or set {variable} (for example {example})."
    )


def _require_sendable(argument: str, variable: str, value: str) -> None:
    """Raise :exc:`~ftrack_like.exception.ConfigurationError` if no header can hold *value*.

    The error does not show it, since it may be the key; that of an HTTP library would.
    """
    if any(ord(character) > 255 or not character.isprintable() for character in str(value)):
        raise exception.ConfigurationError(
            f'"{argument}" holds a line break or another character that no request can carry.\n'
            f"Check the argument {argument} or the environment variable {variable}; what was read "
            "from a file may want .strip()."
        )


def _machine_user() -> str:
    """Return the name of who is logged in to this machine."""
    # lazy: seldom needed, and it brings the system's user database with it.
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise _missing("api_user", "FTRACK_API_USER", "jane.doe") from error


def plugin_folders(given: Any, environment: Optional[Mapping[str, str]] = None) -> list[str]:
    """Return the folders to look for plugins in.

    *given* is a list of paths; None means those of FTRACK_EVENT_PLUGIN_PATH, parted as the
    system parts paths. One path as text counts as a list of it.
    """
    if given is None:
        variables = os.environ if environment is None else environment
        text = variables.get("FTRACK_EVENT_PLUGIN_PATH", "")
        # Without the variable there is one empty path, which names no folder.
        return text.split(os.pathsep)
    if isinstance(given, (str, bytes, os.PathLike)):
        return [os.fsdecode(given)]
    return list(given)


def header_mapping(headers: Any) -> dict[str, str]:
    """Return *headers* as a new mapping; :exc:`TypeError` when it is none. None means none."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must map names to values, not be {type(headers).__name__}.")
    return dict(headers)


def cookie_mapping(cookies: Any) -> Any:
    """Return *cookies*, a mapping or a cookie jar; :exc:`TypeError` when it is neither.

    None means none and gives an empty mapping.
    """
    if cookies is None:
        return {}
    if not isinstance(cookies, Mapping) and not hasattr(cookies, "set_cookie"):
        raise TypeError(f"cookies must map names to values, not be {type(cookies).__name__}.")
    return cookies


def lazy_load_policy(policy: str) -> str:
    """Return *policy*; :exc:`ValueError` unless it is ``ignore``, ``warn`` or ``raise``."""
    if policy not in ("ignore", "warn", "raise"):
        raise ValueError(f"on_lazy_load is 'ignore', 'warn' or 'raise', not {policy!r}.")
    return policy
