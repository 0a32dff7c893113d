"""`ftrack-like login`: check a user and a key, and store them as a profile."""

from __future__ import annotations

import argparse
import os
import re
import sys
from typing import TYPE_CHECKING, Optional

from ftrack_like._base.questions import answer_to
from ftrack_like.cli._connection import add_connection_arguments, key_of_file
from ftrack_like.cli._errors import UsageMistake, message_of
from ftrack_like.cli._warnings import show_warnings

if TYPE_CHECKING:
    from ftrack_like._configuration.profiles import Profile, Profiles

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "store a server, a user and an API key as a profile"

#: Where the key may be stored.
_STORAGES = ("auto", "keyring", "file")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    add_connection_arguments(parser)
    parser.add_argument(
        "--key-storage",
        choices=_STORAGES,
        default="auto",
        help="store the key in the keyring of the system, or in the profile file, which only you "
        "can read (default: auto, the keyring if it can be used)",
    )
    parser.add_argument(
        "--no-default",
        action="store_true",
        help="leave the default profile as it is",
    )
    parser.add_argument(
        "--no-check",
        action="store_true",
        help="store the profile without asking the server",
    )


def run(arguments: argparse.Namespace) -> int:
    """Store the profile that *arguments* and the answers of the user describe; return the status.

    Nothing is stored if the server refuses the user or the key.
    """
    from ftrack_like._configuration.credentials import (  # lazy: "--help" answers at once
        Credentials,
        Origins,
        require_sendable,
    )
    from ftrack_like._configuration.profiles import (  # lazy: likewise
        Profile,
        load_profiles,
    )
    from ftrack_like._transport.connection_settings import checked_server_url  # lazy: likewise

    show_warnings()
    profiles = load_profiles()
    known = _known_login(profiles, arguments.profile)
    proposal = known.server_url if known else os.environ.get("FTRACK_SERVER")
    if arguments.server_url:
        server_url = checked_server_url(_with_scheme(arguments.server_url), "the option --server")
    else:
        server_url = _asked_address(proposal)
    user = arguments.api_user or _asked(
        "User name", known.api_user if known else os.environ.get("FTRACK_API_USER"), "--user"
    )
    key = key_of_file(arguments.api_key_file) or _asked_key()
    require_sendable("api_user", "the option --user", user)
    require_sendable("api_key", "your input", key)
    name = (
        arguments.profile
        or os.environ.get("FTRACK_PROFILE")
        or _name_from_host(server_url, profiles)
    )
    _require_name(name)
    if not arguments.no_check:
        origins = Origins("the option --server", "your input", "the option --user")
        _check_with_server(Credentials(server_url, key, user, origins))
    stored = _stored(Profile(name, server_url, user, key), arguments.key_storage)
    path = _saved(stored, _known_login(profiles, name), make_default=not arguments.no_default)
    place = "in the keyring of the system" if stored.in_keyring else f"in {path}"
    print(f"Stored the profile {name!r} in {path}, and its key {place}.")
    _warn_of_variables()
    return 0


def _known_login(profiles: Profiles, name: Optional[str]) -> Optional[Profile]:
    """Return the stored profile *name*, whose values are proposals; None if it is not usable."""
    from ftrack_like import exception  # lazy: "--help" answers at once

    try:
        return profiles.get(name) if name in profiles.names and name else None
    except exception.ConfigurationError:
        return None


def _with_scheme(address: str) -> str:
    """Return *address*, with the likely scheme before a bare host name."""
    from ftrack_like._transport.connection_settings import with_likely_scheme  # lazy: likewise

    bare = re.fullmatch(r"([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost)(:\d+)?", address.strip())
    return with_likely_scheme(bare[0]) if bare else address


def _asked_address(proposal: Optional[str]) -> str:
    """Return the address of a server that the user types; ask again for one that is none."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._transport.connection_settings import checked_server_url  # lazy: likewise

    while True:
        address = _asked("Server address", proposal, "--server")
        try:
            return checked_server_url(_with_scheme(address), "your input")
        except exception.ServerAddressError as error:
            if not sys.stdin.isatty():
                raise
            print(message_of(error), file=sys.stderr)


def _asked(question: str, proposal: Optional[str], option: str) -> str:
    """Return the answer of the user to *question*; *proposal* if the answer is empty.

    Raise :exc:`~ftrack_like.cli._errors.UsageMistake`, which names *option*, without a terminal.
    """
    if not sys.stdin.isatty():
        if proposal:
            return proposal
        raise UsageMistake(
            f"{question}: pass it with {option}, because standard input is not a terminal."
        )
    while True:
        shown = f" [{proposal}]" if proposal else ""
        line = answer_to(f"{question}{shown}: ")
        if not line:
            raise UsageMistake(f"{question}: there is no input. Pass it with {option}.")
        answer = line.strip() or proposal
        if answer:
            return answer


def _asked_key() -> str:
    """Return the key that the user types, or the first line of a pipe."""
    import getpass  # lazy: "--help" answers at once

    if sys.stdin.isatty():
        key = getpass.getpass("API key (it is not shown): ").strip()
    else:
        key = sys.stdin.readline().strip()
    if not key:
        raise UsageMistake(
            "There is no API key. Pass it on standard input, or with --api-key-file FILE."
        )
    return key


def _name_from_host(server_url: str, profiles: Profiles) -> str:
    """Return the name of the profile for *server_url*: the first part of its host.

    It is the whole host if another server has that name already.
    """
    from urllib.parse import urlsplit  # lazy: "--help" answers at once

    from ftrack_like import exception  # lazy: likewise

    host = urlsplit(server_url).netloc
    short = host if re.match(r"[\d\[]", host) else re.split(r"[.:]", host)[0]
    try:
        is_free = short not in profiles.names or profiles.get(short).server_url == server_url
    except exception.ConfigurationError:
        is_free = True
    return short if is_free else host


def _require_name(name: str) -> None:
    """Raise :exc:`~ftrack_like.cli._errors.UsageMistake` if *name* cannot name a profile."""
    if not name.isprintable() or not name.strip() or len(name) > 100:
        raise UsageMistake(
            f"{name!r} cannot be the name of a profile. Choose up to 100 letters and digits."
        )


def _check_with_server(found: object) -> None:
    """Ask the server about the credentials *found*, and print its answer on standard error."""
    from ftrack_like._configuration.credentials import Credentials  # lazy: "--help" answers at once
    from ftrack_like._transport.connection_settings import warn_of_plain_http  # lazy: likewise
    from ftrack_like.cli._probe import ask_server  # lazy: likewise

    assert isinstance(found, Credentials)
    warn_of_plain_http(found.server_url)
    reply = ask_server(found)
    print(
        f"{found.server_url} (version {reply.version}) accepts the key of {found.api_user}.",
        file=sys.stderr,
    )
    if not reply.is_user_known:
        print(f"It shows no user {found.api_user!r}. Is the name right?", file=sys.stderr)


def _stored(profile: Profile, storage: str) -> Profile:
    """Store the key of *profile* in the keyring, and return the profile without it.

    With *storage* ``auto``, return the profile with its key if the keyring cannot be used.
    """
    from ftrack_like._configuration import keys  # lazy: "--help" answers at once
    from ftrack_like.cli._errors import CommandError  # lazy: likewise

    if storage == "file" or (storage == "auto" and not keys.has_keyring()):
        return profile
    reason = keys.keep_in_keyring(
        profile.name, profile.server_url, profile.api_user, profile.api_key or ""
    )
    if reason is None:
        return profile._replace(api_key=None)
    if storage == "keyring":
        raise CommandError(
            f"The keyring of the system cannot be used: {reason}. Nothing was stored. "
            "Store the key in the profile file with --key-storage file."
        )
    print(f"The keyring of the system cannot be used: {reason}.", file=sys.stderr)
    return profile


def _saved(stored: Profile, earlier: Optional[Profile], make_default: bool) -> str:
    """Write *stored*, which replaces *earlier*, and return the path of the file.

    Leave no key in the keyring that no profile uses, also if the file cannot be written.
    """
    from ftrack_like._configuration.profiles import save_profile  # lazy: "--help" answers at once

    is_same_entry = earlier is not None and earlier[:4] == stored[:4]
    try:
        path = save_profile(stored, make_default)
    except BaseException:
        if stored.in_keyring and not is_same_entry:
            _forget_stored_key(stored)
        raise
    if earlier is not None and earlier.in_keyring and not is_same_entry:
        _forget_stored_key(earlier)
    return path


def _forget_stored_key(profile: Profile) -> None:
    """Remove the key of *profile* from the keyring, because no profile uses it."""
    from ftrack_like._configuration import keys  # lazy: "--help" answers at once

    keys.forget_key(profile.name, profile.server_url, profile.api_user)


def _warn_of_variables() -> None:
    """Print a note if environment variables are used instead of the profile."""
    names = ("FTRACK_SERVER", "FTRACK_API_KEY", "FTRACK_APIKEY", "FTRACK_API_USER")
    found = [name for name in names if os.environ.get(name)]
    if found:
        print(
            f"The environment has {', '.join(found)}. Variables come before profiles: unset them, "
            "or choose the profile with --profile.",
            file=sys.stderr,
        )
