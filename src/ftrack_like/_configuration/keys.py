"""Keep API keys in the keyring of the system, if the package ``keyring`` is installed.

An entry belongs to one profile and one server. So if somebody changes the server of a profile in
its file, the key is not found, instead of going to that server.
"""

from __future__ import annotations

import importlib
from typing import Any, Optional

from ftrack_like import exception
from ftrack_like._transport.redaction import masked

__all__ = ["forget_key", "has_keyring", "keep_in_keyring", "key_in_keyring"]

_INSTALL = "install the extra 'keyring' of ftrack-like"


def _keyring() -> Any:  # noqa: ANN401 - a module that need not be installed
    """Return the module ``keyring``, or None if it is not installed or cannot be imported."""
    try:
        return importlib.import_module("keyring")
    except Exception:  # Back ends of other packages are imported with it, and may be broken.
        return None


def has_keyring() -> bool:
    """Return whether the package ``keyring`` is installed."""
    return _keyring() is not None


def _service(server_url: str) -> str:
    """Return the name under which the keyring shows the keys for *server_url*."""
    return f"ftrack-like {server_url}"


def _account(profile: str, api_user: str) -> str:
    """Return the name of the entry of *profile*."""
    return f"{profile}: {api_user}"


def keep_in_keyring(profile: str, server_url: str, api_user: str, api_key: str) -> Optional[str]:
    """Store *api_key*; return None, or in words why the keyring cannot store it."""
    keyring = _keyring()
    if keyring is None:
        return f"the package keyring is not installed ({_INSTALL})"
    service, account = _service(server_url), _account(profile, api_user)
    try:
        keyring.set_password(service, account, api_key)
        if keyring.get_password(service, account) != api_key:
            return "the keyring does not return the key that was stored"
    except Exception as error:  # Each back end has its own errors.
        return _words(error, api_key)
    return None


def key_in_keyring(profile: str, server_url: str, api_user: str) -> str:
    """Return the key of *profile*.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if the keyring does not have it.
    """
    keyring = _keyring()
    again = f"Store the key again with: ftrack-like login --profile {profile}"
    if keyring is None:
        raise exception.ConfigurationError(
            f"The key of the profile {profile!r} is in the keyring of the system, but the package "
            f"keyring is not installed.\nTo read it, {_INSTALL}. {again}"
        )
    try:
        found = keyring.get_password(_service(server_url), _account(profile, api_user))
    except Exception as error:  # Each back end has its own errors.
        raise exception.ConfigurationError(
            f"The keyring with the key of the profile {profile!r} cannot be read: "
            f"{_words(error)}.\nUnlock it. {again}"
        ) from error
    if not found:
        raise exception.ConfigurationError(
            f"The keyring has no key for the profile {profile!r} at {server_url}.\n{again}"
        )
    return str(found)


def forget_key(profile: str, server_url: str, api_user: str) -> Optional[str]:
    """Remove the key of *profile*; return None, or in words why it may still be there."""
    keyring = _keyring()
    if keyring is None:
        return "the package keyring is not installed"
    service, account = _service(server_url), _account(profile, api_user)
    try:
        if keyring.get_password(service, account) is not None:
            keyring.delete_password(service, account)
    except Exception as error:  # Each back end has its own errors.
        return _words(error)
    return None


def _words(error: Exception, *secrets: str) -> str:
    """Return *error* as one line, without *secrets*."""
    if type(error).__name__ == "NoKeyringError":  # Its text is about packages to install.
        return "this machine has no keyring service"
    text = " ".join(masked(error, *secrets).split())[:300]
    return f"{type(error).__name__}: {text}".rstrip(".")
