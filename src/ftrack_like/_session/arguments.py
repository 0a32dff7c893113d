"""Check the arguments of a session and read its environment variables.

:mod:`ftrack_like._configuration.credentials` finds the server, the user and the key.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Optional, Union, cast

from ftrack_like import exception
from ftrack_like._configuration.credentials import Credentials, Origins
from ftrack_like._configuration.credentials import find_credentials as credentials
from ftrack_like._transport.redaction import masked
from ftrack_like._transport.retry import RetryPolicy

if TYPE_CHECKING:
    from http.cookiejar import CookieJar

    from ftrack_like._base.types import PathText
    from ftrack_like.cache import Cache
    from ftrack_like.session import Session

    #: The argument ``cache`` of a session.
    CacheChoice = Union[Cache, Callable[[Session], Optional[Cache]], str, Literal[False], None]

__all__ = [
    "MOST_AHEAD",
    "Credentials",
    "Origins",
    "checked_deadline",
    "checked_life",
    "cookie_mapping",
    "credentials",
    "header_mapping",
    "lazy_load_policy",
    "lower_cache",
    "pages_ahead",
    "plugin_folders",
    "retry_policy",
]

#: The largest number of pages of a query to request ahead, and of such requests at the same time.
MOST_AHEAD = 4

#: The methods that every cache must have. Listing its keys is optional.
_CACHE_METHODS = ("get", "set", "remove")

#: The environment variable that limits the time for retries, in seconds.
RETRY_VARIABLE = "FTRACK_API_RETRY_SECONDS"


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


def starts_lazily(connect: str) -> bool:
    """Return whether *connect* is ``lazy``; raise :exc:`ValueError` unless that or ``now``."""
    if connect not in ("now", "lazy"):
        raise ValueError(f"connect is 'now' or 'lazy', not {connect!r}.")
    return connect == "lazy"


def lower_cache(
    session: Session, cache: CacheChoice, profile: Optional[str] = None, profile_origin: str = ""
) -> Optional[Cache]:
    """Return the cache below the memory cache of *session*: *cache*, or the result of calling it.

    Text is the address of a shared cache. If *cache* is None, the address comes from
    FTRACK_API_CACHE, or else it is *profile*, from *profile_origin*. False means no cache.

    Log a warning and return None if the function raises, or if the object is not a cache. Raise
    :exc:`~ftrack_like.exception.ConfigurationError` for an address that cannot be used.
    """
    if cache is False:
        return None
    if cache is None and profile is None and not os.environ.get("FTRACK_API_CACHE"):
        return None
    if cache is None or isinstance(cache, str):
        # lazy: few sessions have a shared cache
        from ftrack_like._session.shared_cache import chosen_address, open_shared

        address, origin = chosen_address(os.environ, profile, profile_origin)
        if cache is not None:
            address, origin = cache, "the argument cache"
        return None if address is None else open_shared(session, address, origin)
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


def pages_ahead(read_ahead: Union[int, bool]) -> int:
    """Return how many pages *read_ahead* means: True is the most, False is 0.

    Raise :exc:`ValueError` unless it is a whole number from 0 to :data:`MOST_AHEAD`.
    """
    if isinstance(read_ahead, bool):
        return MOST_AHEAD if read_ahead else 0
    if not isinstance(read_ahead, int) or not 0 <= read_ahead <= MOST_AHEAD:
        raise ValueError(
            f"read_ahead is a number of pages from 0 to {MOST_AHEAD}, True or False, "
            f"not {read_ahead!r}."
        )
    return read_ahead


def checked_life(seconds: Optional[float]) -> Optional[float]:
    """Return *seconds*, the argument ``cache_server_information``.

    Raise :exc:`ValueError` unless it is a positive number or None.
    """
    if seconds is None:
        return None
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds < 10**9:
        raise ValueError(
            f"cache_server_information is a positive number of seconds or None, not {seconds!r}."
        )
    return seconds
