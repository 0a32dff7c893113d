"""Decide which server, user and API key a session uses, and remember where they come from.

The sources, in this order:

1. the arguments of the session, and the environment variables for arguments that are missing;
2. the profile that FTRACK_PROFILE names, or else the default profile of the user.

The address, the user and the key of a profile belong together. A key of a profile never goes to a
server that another source names, and a key of another source never goes to the server of a profile.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Optional

from ftrack_like import exception
from ftrack_like._base.named_tuples import NamedTuple
from ftrack_like._configuration.renewal import Renewal
from ftrack_like._transport.connection_settings import checked_server_url
from ftrack_like._transport.redaction import MASK

if TYPE_CHECKING:
    from ftrack_like._configuration.profiles import Profile

__all__ = ["Credentials", "Origins", "find_credentials", "require_sendable"]

_logger = logging.getLogger(__name__)

_KEY_VARIABLES = ("FTRACK_API_KEY", "FTRACK_APIKEY")
_FUNCTION = "the function that the argument credentials names"


class Origins(NamedTuple):
    """Descriptions for errors: the sources of a session's server URL, API key and user name."""

    server_url: str = "the argument server_url (else FTRACK_SERVER)"
    api_key: str = "the argument api_key (else FTRACK_API_KEY or FTRACK_APIKEY)"
    api_user: str = "the argument api_user (else FTRACK_API_USER)"


class Credentials(NamedTuple):
    """The server URL, API key and user name of a session. ``repr`` does not show *api_key*.

    *profile* is the name of the profile that they come from, or None. *renewal* asks a function of
    the program for new credentials. *cache* is the address of a shared cache in the profile.
    """

    server_url: str
    api_key: str
    api_user: str
    origins: Origins = Origins()
    profile: Optional[str] = None
    renewal: Optional[Renewal] = None
    cache: Optional[str] = None

    def __repr__(self) -> str:
        """Return the server and the user."""
        return f"{type(self).__name__}({self.server_url!r}, api_user={self.api_user!r})"


class _Found(NamedTuple):
    """The value of a setting and its source in words; ``(None, "")`` if it is missing."""

    value: Optional[str] = None
    origin: str = ""
    is_argument: bool = False

    def __repr__(self) -> str:
        """Return the source: the value may be a key."""
        return f"{type(self).__name__}(from {self.origin!r})"


def find_credentials(
    server_url: Optional[str] = None,
    api_key: Optional[str] = None,
    api_user: Optional[str] = None,
    environment: Optional[Mapping[str, str]] = None,
    *,
    profile: Optional[str] = None,
    function: Optional[Callable[[], tuple[str, str]]] = None,
    unlock: bool = True,
) -> Credentials:
    """Return the credentials from the arguments, the *environment* or a profile.

    The variables are FTRACK_SERVER, FTRACK_API_KEY (or FTRACK_APIKEY, its older name) and
    FTRACK_API_USER. Without a user, use that of a profile for the same server, or else the name of
    the user who is logged in to the machine. *profile* names a profile, which then has all three.
    *function* returns ``(api_user, api_key)``. Without *unlock*, do not read the keyring of the
    system, which may ask the user for a password: the key is then a mask.

    Raise :exc:`~ftrack_like.exception.ConfigurationError`, a :exc:`TypeError`, for a missing or
    invalid setting; it names the setting.
    """
    variables = os.environ if environment is None else environment
    given = {"server_url": server_url, "api_key": api_key, "api_user": api_user}
    if function is not None:
        return _from_function(function, given, profile, variables)
    if profile is not None:
        _refuse_more("profile", given)
        return _from_profile(_named_profile(profile, variables), unlock)
    url = _chosen(server_url, variables, "server_url", ("FTRACK_SERVER",))
    key = _chosen(api_key, variables, "api_key", _KEY_VARIABLES)
    user = _chosen(api_user, variables, "api_user", ("FTRACK_API_USER",))
    if not url.value or not key.value:
        return _from_profile(_profile_instead(url, key, user, variables), unlock)
    checked_url = checked_server_url(url.value, url.origin)
    if not user.value:
        user = _user_of_profile(checked_url, variables) or _machine_user()
    return _checked(url, key, user)


def _checked(url: _Found, key: _Found, user: _Found) -> Credentials:
    """Return the credentials of three settings that are all present."""
    assert url.value
    assert key.value
    assert user.value
    require_sendable("api_key", key.origin, key.value)
    require_sendable("api_user", user.origin, user.value)
    origins = Origins(url.origin, key.origin, user.origin)
    return Credentials(checked_server_url(url.value, url.origin), key.value, user.value, origins)


def _from_function(
    function: Callable[[], tuple[str, str]],
    given: Mapping[str, Optional[str]],
    profile: Optional[str],
    variables: Mapping[str, str],
) -> Credentials:
    """Return the credentials that *function* returns, for a server from another setting."""
    if not callable(function):
        raise exception.ConfigurationError(
            "The argument credentials takes a function that returns (api_user, api_key), not "
            f"{type(function).__name__}.\nPass api_user=… and api_key=… for fixed values."
        )
    _refuse_more("credentials", {**given, "server_url": None})
    if profile is None:
        url = _chosen(given["server_url"], variables, "server_url", ("FTRACK_SERVER",))
    else:
        _refuse_more("profile", given)
        found = _named_profile(profile, variables)
        url = _Found(found.server_url, found.origin, is_argument=True)
    if not url.value:
        raise _missing_setting("server_url")
    checked_server_url(url.value, url.origin)
    renewal = Renewal(function, _checked_answer)
    user, key = renewal.first()
    return _checked(url, _Found(key, _FUNCTION), _Found(user, _FUNCTION))._replace(renewal=renewal)


def _checked_answer(answer: object) -> tuple[str, str]:
    """Return *answer*, the result of a function for credentials, as user and key.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` unless it is a pair of texts. The error
    does not show the values.
    """
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        raise exception.ConfigurationError(
            f"The function for credentials returned {type(answer).__name__}, not a pair of texts.\n"
            "It must return (api_user, api_key)."
        )
    for name, value in zip(("api_user", "api_key"), answer):
        if not value:
            raise exception.ConfigurationError(f'The function for credentials has no "{name}".')
        require_sendable(name, _FUNCTION, value)
    return answer[0], answer[1]


def _refuse_more(chosen: str, given: Mapping[str, Optional[str]]) -> None:
    """Raise :exc:`~ftrack_like.exception.ConfigurationError` if an argument is *given* as well."""
    more = [name for name, value in given.items() if value]
    if more:
        raise exception.ConfigurationError(
            f"The argument {chosen} cannot be combined with {' and '.join(more)}: the address, the "
            "user and the key come from one source.\nLeave out one of them."
        )


def _from_profile(profile: Profile, unlock: bool) -> Credentials:
    """Return the credentials of *profile*; *unlock* is as for :func:`find_credentials`."""
    found = _Found(origin=profile.origin)
    key = MASK if profile.in_keyring and not unlock else profile.key()
    where = f"the keyring of the system, for {profile.origin}"
    checked = _checked(
        found._replace(value=profile.server_url),
        _Found(key, where if profile.in_keyring else profile.origin),
        found._replace(value=profile.api_user),
    )
    return checked._replace(profile=profile.name, cache=profile.cache)


def _named_profile(name: str, variables: Mapping[str, str]) -> Profile:
    """Return the profile *name*, an argument."""
    # lazy: most sessions have their settings as arguments or variables.
    from ftrack_like._configuration.profiles import load_profiles

    if not isinstance(name, str) or not name:
        raise exception.ConfigurationError(
            f"The argument profile is the name of a profile, not {type(name).__name__} {name!r}."
        )
    return load_profiles(variables).get(name, "The argument profile names it.")


def _profile_instead(
    url: _Found, key: _Found, user: _Found, variables: Mapping[str, str]
) -> Profile:
    """Return the profile to use, because the address or the key is missing.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if no profile is selected, or if the
    other settings contradict it.
    """
    # lazy: most sessions have their settings as arguments or variables.
    from ftrack_like._configuration.profiles import load_profiles

    missing = "api_key" if url.value else "server_url"
    try:
        profiles = load_profiles(variables)
    except exception.ConfigurationError as error:
        if not isinstance(error.__cause__, OSError) or _asks_for_profiles(variables):
            raise
        # The home of another user, as on some farms: this user has no profiles.
        reason = str(error).partition("\n")[0]
        raise _missing_setting(missing, f"\n{reason}") from error
    profile = profiles.selected(variables)
    if profile is None:
        several = len(profiles.names) > 1
        names = ", ".join(profiles.names)
        raise _missing_setting(
            missing,
            f"\nThere are the profiles {names}, and none is the default. Choose one with "
            "FTRACK_PROFILE, profile=… or: ftrack-like config use NAME"
            if several
            else "",
        )
    contradiction = _contradiction(profile, url, key, user)
    if contradiction:
        raise _missing_setting(missing, f"\n{contradiction}")
    if user.value and user.value != profile.api_user:
        _logger.warning(
            "%s names the user %r, but the session uses %s with its user %r.",
            user.origin[:1].upper() + user.origin[1:],
            user.value,
            profile.origin,
            profile.api_user,
        )
    return profile


def _asks_for_profiles(variables: Mapping[str, str]) -> bool:
    """Return whether *variables* name a profile or a profile file."""
    return any(variables.get(name) for name in ("FTRACK_PROFILE", "FTRACK_CONFIG_FILE"))


def _contradiction(profile: Profile, url: _Found, key: _Found, user: _Found) -> str:
    """Return in words why other settings forbid the use of *profile*; empty if they do not."""
    because = f"It does not come from {profile.origin}, because "
    if key.value:
        return f"{because}{key.origin} sets another key: the key belongs to its own server."
    if url.value and checked_server_url(url.value, url.origin) != profile.server_url:
        return (
            f"{because}{url.origin} names another server than {profile.server_url}: a key is never "
            "sent to another server."
        )
    if user.value and user.value != profile.api_user and (user.is_argument or url.value):
        return f"{because}{user.origin} names another user than {profile.api_user!r}."
    return ""


def _user_of_profile(server_url: str, variables: Mapping[str, str]) -> Optional[_Found]:
    """Return the user of the selected profile if it is for *server_url*, else None.

    Address and key are known, so an unusable profile is not an error here.
    """
    # lazy: needed only if the user is missing.
    from ftrack_like._configuration.profiles import load_profiles

    try:
        profile = load_profiles(variables).selected(variables)
    except exception.ConfigurationError as error:
        _logger.warning("No profile is used for the name of the user: %s", error)
        return None
    if profile is None or profile.server_url != server_url:
        return None
    return _Found(profile.api_user, profile.origin)


def _chosen(
    given: Optional[str], variables: Mapping[str, str], argument: str, names: tuple[str, ...]
) -> _Found:
    """Return the value of a setting and its source."""
    if given:
        return _Found(given, f"the argument {argument}", is_argument=True)
    for name in names:
        if variables.get(name):
            return _Found(variables[name], f"the environment variable {name}")
    return _Found()


#: The variables of each setting, and an example of a value.
_SETTINGS = {
    "server_url": ("FTRACK_SERVER", "https://studio.ftrackapp.com"),
    "api_key": (" or ".join(_KEY_VARIABLES), "the key from your account's page"),
    "api_user": ("FTRACK_API_USER", "jane.doe"),
}


def _missing_setting(argument: str, more: str = "") -> exception.ConfigurationError:
    """Return the error for the required *argument*, which is missing; *more* ends the text."""
    variables, example = _SETTINGS[argument]
    variable = variables.split(maxsplit=1)[0]
    return exception.ConfigurationError(
        f'Required "{argument}" not specified, neither as argument nor by the environment variable '
        f"{variables}.\nPass {argument}=… or set {variable} (for example {example}), or run: "
        f"ftrack-like login{more}"
    )


def require_sendable(argument: str, origin: str, value: object) -> None:
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


def _machine_user() -> _Found:
    """Return the name of the user who is logged in to this machine."""
    # lazy: seldom needed, and it loads the system's user database.
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise _missing_setting("api_user") from error
    return _Found(name, "the operating system, as whom you are logged in to this machine")
