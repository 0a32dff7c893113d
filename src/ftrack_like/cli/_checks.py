"""The findings of checks, and the time limit of a check."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from typing import NamedTuple, Optional

__all__ = ["FAIL", "OK", "WARN", "Diagnosis", "not_checked", "owner_of", "refusal", "within"]

OK, WARN, FAIL = "OK", "WARN", "FAIL"

#: A user name, with or without a password, in an address.
_ACCOUNT = re.compile(r"(?<=//)[^\s/@]+(?=@)")


class Diagnosis(NamedTuple):
    """The finding of one check: *status* is OK, WARN or FAIL, and *advice* says what to do next."""

    name: str
    status: str
    text: str
    advice: str = ""

    def without(self, secret: Optional[str]) -> Diagnosis:
        """Return the finding in single lines, with *secret* and passwords in addresses masked."""
        from ftrack_like._transport.redaction import MASK, masked  # lazy: "--help" answers at once

        def clean(text: str) -> str:
            return _ACCOUNT.sub(MASK, " ".join(masked(text, secret).split()))

        return self._replace(text=clean(self.text), advice=clean(self.advice))


def not_checked(name: str, reason: str) -> Diagnosis:
    """Return the finding of the check *name* that could not run for *reason*."""
    return Diagnosis(name, WARN, f"Not checked: {reason}.", "Correct the failure above first.")


def within(seconds: float, name: str, check: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    """Return the findings of *check*, which is called *name*. Never raise an error.

    If it takes longer than *seconds*, it goes on in a thread that does not keep the process alive.
    """
    findings: list[Diagnosis] = []

    def run() -> None:
        try:
            findings.extend(check())
        except OSError as error:
            findings.append(Diagnosis(name, FAIL, *refusal(error)))
        except Exception as error:
            text = f"The check itself failed: {type(error).__name__}: {error}"
            findings.append(Diagnosis(name, FAIL, text, "Report this as a fault of ftrack-like."))

    thread = threading.Thread(target=run, name=f"check of {name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        text = f"The check did not end within {seconds:g} seconds."
        return [Diagnosis(name, FAIL, text, "Repeat it with a larger --timeout.")]
    return findings


def refusal(error: OSError) -> tuple[str, str]:
    """Return the text and the advice for *error*, with the owner of the file if it is a file."""
    path = error.filename
    if not isinstance(path, (str, os.PathLike)):
        return f"The system refused the check: {error}.", "Run the command as another user."
    text = f"{os.fspath(path)!s} cannot be used: {error.strerror or error}."
    owner = owner_of(os.fspath(path))
    if owner is None or not isinstance(error, PermissionError):
        return text, "Correct the path, or its permissions."
    return f"{text} {owner}", "Run the command as that user, or let this user read it."


def owner_of(path: str) -> Optional[str]:
    """Return a sentence with the owner of the file *path* and this user; None if unknown."""
    try:
        import pwd  # lazy: POSIX only
    except ImportError:
        return None
    try:
        owner = os.stat(path).st_uid
    except OSError:
        return None

    def name_of(number: int) -> str:
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)

    return f"It belongs to the user {name_of(owner)!r}; this user is {name_of(os.getuid())!r}."
