"""Check the arguments of a session and read its environment variables."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._transport.connection_settings import checked_server_url
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RetryPolicy

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from ftrack_like._base.types import PathText
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

__all__ = [
    "Credentials",
    "Origins",
    "checked_deadline",
    "cookie_mapping",
    "credentials",
    "header_mapping",
    "lazy_load_policy",
    "lower_cache",
    "plugin_folders",
    "retry_policy",
]

#: The methods that every cache must have. Listing its keys is optional.
_CACHE_METHODS = ("get", "set", "remove")

#: The environment variable that limits the time for retries, in seconds.
RETRY_VARIABLE = "FTRACK_API_RETRY_SECONDS"


class Origins(NamedTuple):
    """Descriptions for errors: the sources of a session's server URL, API key and user name."""

    server_url: str = "the argument server_url (else FTRACK_SERVER)"
    api_key: str = "the argument api_key (else FTRACK_API_KEY or FTRACK_APIKEY)"
    api_user: str = "the argument api_user (else FTRACK_API_USER)"


class Credentials(NamedTuple):
    """The server URL, API key and user name of a session. ``repr`` does not show *api_key*."""

    server_url: str
    api_key: str
    api_user: str
    origins: Origins = Origins()

    def __repr__(self) -> str:
        """Return the server and the user."""
        return f"{type(self).__name__}({self.server_url!r}, api_user={self.api_user!r})"


def credentials(
    server_url: Optional[str],
    api_key: Optional[str],
    api_user: Optional[str],
    environment: Optional[Mapping[str, str]] = None,
) -> Credentials:
    """Return the credentials; take missing ones from the *environment*.

    The variables are FTRACK_SERVER, FTRACK_API_KEY (or FTRACK_APIKEY, its older name) and
    FTRACK_API_USER. Without the last one, use the name of the user who is logged in. Raise
    :exc:`~ftrack_like.exception.ConfigurationError`, a :exc:`TypeError`, for a missing or invalid
    setting; it names the setting.
    """
    variables = os.environ if environment is None else environment
    url, url_origin = _chosen(server_url, variables, "server_url", ("FTRACK_SERVER",))
    if not url:
        raise _missing_argument("server_url", "FTRACK_SERVER", "https://studio.ftrackapp.com")
    names = ("FTRACK_API_KEY", "FTRACK_APIKEY")
    key, key_origin = _chosen(api_key, variables, "api_key", names)
    if not key:
        raise _missing_argument("api_key", " or ".join(names), "the key from your account's page")
    user, user_origin = _chosen(api_user, variables, "api_user", ("FTRACK_API_USER",))
    if not user:
        user = _machine_user()
        user_origin = "the operating system, as whom you are logged in to this machine"
    _require_sendable("api_key", key_origin, key)
    _require_sendable("api_user", user_origin, user)
    origins = Origins(url_origin, key_origin, user_origin)
    return Credentials(checked_server_url(url, url_origin), key, user, origins)


def _chosen(
    given: Optional[str], variables: Mapping[str, str], argument: str, names: tuple[str, ...]
) -> tuple[Optional[str], str]:
    """Return the value of a setting and its source; ``(None, "")`` if it is missing."""
    if given:
        return given, f"the argument {argument}"
    for name in names:
        if variables.get(name):
            return variables[name], f"the environment variable {name}"
    return None, ""


def _missing_argument(argument: str, variables: str, example: str) -> exception.ConfigurationError:
    """Return the error for the required *argument*, which is missing."""
    variable = variables.split(maxsplit=1)[0]
    return exception.ConfigurationError(
        f'Required "{argument}" not specified, neither as argument nor by the environment variable '
        f"{variables}.\nPass {argument}=… or set {variable} (for example {example})."
    )


def _require_sendable(argument: str, origin: str, value: object) -> None:
    """Raise :exc:`~ftrack_like.exception.ConfigurationError` if *value* cannot be in a header.

    The message does not show the value, because it may be the key. The error of an HTTP library
    would.
    """
    if not isinstance(value, str):
        raise exception.ConfigurationError(
            f'"{argument}" is text, not {type(value).__name__}. It comes from {origin}.'
        )
    if (
        any(ord(character) > 255 or not character.isprintable() for character in value)
        or value[0].isspace()
    ):
        raise exception.ConfigurationError(
            f'"{argument}" contains a line break, starts with a space or has another character '
            f"that a request cannot carry.\nIt comes from {origin}. If it was read from a file, "
            "call .strip() on it."
        )


def _machine_user() -> str:
    """Return the name of the user who is logged in to this machine."""
    # lazy: seldom needed, and it loads the system's user database.
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise _missing_argument("api_user", "FTRACK_API_USER", "jane.doe") from error


def plugin_folders(
    given: Optional[Union[PathText, Iterable[PathText]]],
    environment: Optional[Mapping[str, str]] = None,
) -> list[str]:
    """Return the folders in which to search for plugins.

    *given* is a path or a list of paths. If it is None, take the paths in FTRACK_EVENT_PLUGIN_PATH,
    separated by the system's path separator.
    """
    if given is None:
        variables = os.environ if environment is None else environment
        text = variables.get("FTRACK_EVENT_PLUGIN_PATH", "")
        # Without the variable the result is one empty path, which is not a folder.
        return text.split(os.pathsep)
    if isinstance(given, (str, bytes, os.PathLike)):
        return [os.fsdecode(given)]
    folders: list[Any] = list(given)  # The loader of plugins checks each folder.
    return folders


def header_mapping(headers: object) -> dict[str, str]:
    """Return a copy of *headers*, empty for None. Raise :exc:`TypeError` for another type."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must map names to values, not be {type(headers).__name__}.")
    return dict(headers)


def cookie_mapping(cookies: object) -> Union[Mapping[str, str], CookieJar]:
    """Return *cookies*, a mapping or a cookie jar; an empty mapping for None.

    Raise :exc:`TypeError` for another type.
    """
    if cookies is None:
        return {}
    if not isinstance(cookies, Mapping) and not hasattr(cookies, "set_cookie"):
        raise TypeError(f"cookies must map names to values, not be {type(cookies).__name__}.")
    return cast("Union[Mapping[str, str], CookieJar]", cookies)


def lazy_load_policy(policy: str) -> str:
    """Return *policy*. Raise :exc:`ValueError` unless it is ``ignore``, ``warn`` or ``raise``."""
    if policy not in ("ignore", "warn", "raise"):
        raise ValueError(f"on_lazy_load is 'ignore', 'warn' or 'raise', not {policy!r}.")
    return policy


def lower_cache(
    session: Session, cache: Union[Cache, Callable[[Session], Optional[Cache]], None]
) -> Optional[Cache]:
    """Return the cache below the memory cache of *session*: *cache*, or the result of calling it.

    Log a warning and return None if the function raises, or if the object is not a cache.
    """
    if cache is None:
        return None
    try:
        made = cache(session) if callable(cache) else cache
    except (Exception, SystemExit) as error:
        reason = f"the function {cache!r} raised {type(error).__name__}: {error}"
    else:
        if made is None:
            return None
        missing = [name for name in _CACHE_METHODS if not callable(getattr(made, name, None))]
        if not missing and not isinstance(made, type):
            return made
        reason = f"{made!r} is not a cache: it has no {' and no '.join(missing) or 'instance'}"
    session.logger.warning(
        "The session does not use the cache that it was given: %s.",
        masked(reason, session.api_key),
    )
    session.logger.debug("The cache cannot be used.", exc_info=True)
    return None


def retry_policy(
    given: Optional[RetryPolicy], environment: Optional[Mapping[str, str]] = None
) -> Optional[RetryPolicy]:
    """Return the policy *given*, or one for FTRACK_API_RETRY_SECONDS, or None.

    Raise :exc:`TypeError` for another type, :exc:`ValueError` for limits out of range, and
    :exc:`~ftrack_like.exception.ConfigurationError` if the variable is not a number of seconds.
    """
    if given is None:
        variables = os.environ if environment is None else environment
        text = variables.get(RETRY_VARIABLE, "").strip()
        return RetryPolicy(total_time=_seconds(text)) if text else None
    if not isinstance(given, RetryPolicy):
        raise TypeError(f"retry is a RetryPolicy, not {given!r}.")
    if given.attempts is not None and given.attempts < 1:
        raise ValueError(f"The request itself is an attempt: {given!r} allows none.")
    times = (given.total_time, given.base, given.cap)
    if any(math.isnan(each) or each < 0 for each in times):
        raise ValueError(f"The times of a RetryPolicy are 0 or more seconds: {given!r}.")
    return given


def _seconds(text: str) -> float:
    """Return the number of seconds in *text*, the value of the retry variable."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if math.isnan(seconds) or seconds < 0:
        raise exception.ConfigurationError(
            f"The environment variable {RETRY_VARIABLE} must be a number of seconds (0 for no "
            f"retries), not {text[:50]!r}."
        )
    return seconds


def checked_deadline(deadline: Optional[float]) -> Optional[float]:
    """Return *deadline*. Raise :exc:`ValueError` unless it is a positive number or None."""
    if deadline is not None and not deadline > 0:
        raise ValueError(f"deadline is a positive number of seconds or None, not {deadline!r}.")
    return deadline
