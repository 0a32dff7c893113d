"""What a session is told by its caller and by the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RetryPolicy
from ftrack_like._transport.settings import checked_server_url

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from ftrack_like._types import PathText
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

#: What every cache can do; listing its keys is optional.
_CACHE_METHODS = ("get", "set", "remove")

#: The variable that bounds the time of repeating a call, in seconds.
RETRY_VARIABLE = "FTRACK_API_RETRY_SECONDS"


class Origins(NamedTuple):
    """Where the server, the key and the user of a session come from, in words for errors."""

    server_url: str = "the argument server_url (else FTRACK_SERVER)"
    api_key: str = "the argument api_key (else FTRACK_API_KEY or FTRACK_APIKEY)"
    api_user: str = "the argument api_user (else FTRACK_API_USER)"


class Credentials(NamedTuple):
    """Which server a session talks to, and as whom; *api_key* stays out of ``repr``."""

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
    """Return the credentials, with what is None taken from the *environment*.

    The variables are FTRACK_SERVER, FTRACK_API_KEY (then FTRACK_APIKEY, its older name) and
    FTRACK_API_USER; without the last it is the user of this machine. Raise
    :exc:`~ftrack_like.exception.ConfigurationError`, a :exc:`TypeError`, naming what is missing.
    """
    variables = os.environ if environment is None else environment
    url, url_origin = _chosen(server_url, variables, "server_url", ("FTRACK_SERVER",))
    if not url:
        raise _missing("server_url", "FTRACK_SERVER", "https://studio.ftrackapp.com")
    names = ("FTRACK_API_KEY", "FTRACK_APIKEY")
    key, key_origin = _chosen(api_key, variables, "api_key", names)
    if not key:
        raise _missing("api_key", " or ".join(names), "the key from your account's page")
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
    """Return the value of a setting, None if it is given nowhere, and where it comes from."""
    if given:
        return given, f"the argument {argument}"
    for name in names:
        if variables.get(name):
            return variables[name], f"the environment variable {name}"
    return None, ""


def _missing(argument: str, variables: str, example: str) -> exception.ConfigurationError:
    """Return the error for a required *argument* that is given nowhere."""
    variable = variables.split(maxsplit=1)[0]
    return exception.ConfigurationError(
        f'Required "{argument}" not specified, neither as argument nor by the environment variable '
        f"{variables}.\nPass {argument}=… or set {variable} (for example {example})."
    )


def _require_sendable(argument: str, origin: str, value: object) -> None:
    """Raise :exc:`~ftrack_like.exception.ConfigurationError` if no header can hold *value*.

    The error does not show it, since it may be the key; that of an HTTP library would.
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
            f'"{argument}" holds a line break, begins with a blank or has another character that '
            f"no request can carry.\nIt comes from {origin}; what was read from a file may want "
            ".strip()."
        )


def _machine_user() -> str:
    """Return the name of who is logged in to this machine."""
    # lazy: seldom needed, and it brings the system's user database with it.
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise _missing("api_user", "FTRACK_API_USER", "jane.doe") from error


def plugin_folders(
    given: Optional[Union[PathText, Iterable[PathText]]],
    environment: Optional[Mapping[str, str]] = None,
) -> list[str]:
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
    folders: list[Any] = list(given)  # They are given on as they are.
    return folders


def header_mapping(headers: object) -> dict[str, str]:
    """Return *headers* as a new mapping; :exc:`TypeError` when it is none. None means none."""
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise TypeError(f"headers must map names to values, not be {type(headers).__name__}.")
    return dict(headers)


def cookie_mapping(cookies: object) -> Union[Mapping[str, str], CookieJar]:
    """Return *cookies*, a mapping or a cookie jar; :exc:`TypeError` when it is neither.

    None means none and gives an empty mapping.
    """
    if cookies is None:
        return {}
    if not isinstance(cookies, Mapping) and not hasattr(cookies, "set_cookie"):
        raise TypeError(f"cookies must map names to values, not be {type(cookies).__name__}.")
    return cast("Union[Mapping[str, str], CookieJar]", cookies)


def lazy_load_policy(policy: str) -> str:
    """Return *policy*; :exc:`ValueError` unless it is ``ignore``, ``warn`` or ``raise``."""
    if policy not in ("ignore", "warn", "raise"):
        raise ValueError(f"on_lazy_load is 'ignore', 'warn' or 'raise', not {policy!r}.")
    return policy


def lower_cache(
    session: Session, cache: Union[Cache, Callable[[Session], Optional[Cache]], None]
) -> Optional[Cache]:
    """Return the cache below the memory cache of *session*: *cache*, or what it returns.

    A function that raises, and what is no cache, costs a warning and gives None.
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
        reason = f"{made!r} is no cache: it has no {' and no '.join(missing) or 'instance'}"
    session.logger.warning(
        "The session goes without the cache that it was given: %s.",
        masked(reason, session.api_key),
    )
    session.logger.debug("The cache cannot be used.", exc_info=True)
    return None


def retry_policy(
    given: Optional[RetryPolicy], environment: Optional[Mapping[str, str]] = None
) -> Optional[RetryPolicy]:
    """Return the policy *given*, else that of FTRACK_API_RETRY_SECONDS, None without either.

    Raise :exc:`TypeError` for what is no policy, :exc:`ValueError` for bounds that make no sense,
    and :exc:`~ftrack_like.exception.ConfigurationError` if the variable is no number of seconds.
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
    """Return the number of seconds that the retry variable holds as *text*."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if math.isnan(seconds) or seconds < 0:
        raise exception.ConfigurationError(
            f"The environment variable {RETRY_VARIABLE} holds a number of seconds, 0 to repeat "
            f"nothing, not {text[:50]!r}."
        )
    return seconds


def checked_deadline(deadline: Optional[float]) -> Optional[float]:
    """Return *deadline*; :exc:`ValueError` unless it is a positive number of seconds or None."""
    if deadline is not None and not deadline > 0:
        raise ValueError(f"deadline is a positive number of seconds or None, not {deadline!r}.")
    return deadline
