"""`ftrack-like logout`: remove a profile and its key."""

from __future__ import annotations

import argparse
import sys

from ftrack_like.cli._errors import CommandError

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "remove a profile and its API key"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.add_argument(
        "--profile",
        metavar="PROFILE",
        help="profile to remove (default: FTRACK_PROFILE, then the default profile)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Remove the profile that *arguments* name; return the exit status."""
    from ftrack_like._configuration import keys  # lazy: "--help" answers at once
    from ftrack_like._configuration.profiles import forget_profile, load_profiles  # lazy: likewise

    name = arguments.profile
    if name is None:
        selected = load_profiles().selected()
        if selected is None:
            raise CommandError("There is no default profile. Name one with --profile NAME.")
        name = selected.name
    removed = forget_profile(name)
    if removed.in_keyring:
        reason = keys.forget_key(removed.name, removed.server_url, removed.api_user)
        if reason is not None:
            print(
                f"The profile {name!r} is removed, but the keyring of the system may still have "
                f"its key: {reason}. Remove it there.",
                file=sys.stderr,
            )
            return 1
    print(f"Removed the profile {name!r} and its key. The key stays valid on {removed.server_url}.")
    return 0
