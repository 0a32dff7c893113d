"""The settings that a session would use now, with their sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Optional

from ftrack_like.cli._errors import with_options

if TYPE_CHECKING:
    from ftrack_like.cli._connection import ConnectionOptions

__all__ = ["Setting", "settings_in_use"]

#: Settings that only an environment variable sets: name, variables, and value without them.
_VARIABLES = (
    ("plugin_paths", ("FTRACK_EVENT_PLUGIN_PATH",), None),
    ("cache", ("FTRACK_API_CACHE",), None),
    ("retry", ("FTRACK_API_RETRY_SECONDS",), "60 seconds"),
    ("ca_bundle", ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), "the bundle of requests"),
    ("https_proxy", ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"), None),
    ("http_proxy", ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"), None),
    ("chunk_size", ("FTRACK_API_FILE_CHUNK_SIZE",), "1048576 bytes"),
    ("event_journal", ("FTRACK_EVENT_JOURNAL",), "the data folder of the user"),
    ("media_presets", ("FTRACK_MEDIA_PRESETS",), None),
    ("log", ("FTRACK_LOG",), None),
    ("ffmpeg", ("FTRACK_FFMPEG",), "ffmpeg on the search path"),
)


class Setting(NamedTuple):
    """A setting: its *name*, *value* as text or None, and *origin* in words. Keys are masked."""

    name: str
    value: Optional[str]
    origin: str


def settings_in_use(options: ConnectionOptions) -> tuple[list[Setting], Optional[str]]:
    """Return the settings for the connection *options*, and the reason why they are incomplete.

    Raise :exc:`~ftrack_like.exception.ConfigurationError` if the profile file cannot be used.
    """
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._configuration.credentials import find_credentials  # lazy: likewise
    from ftrack_like._configuration.profiles import load_profiles  # lazy: likewise
    from ftrack_like._transport.redaction import MASK  # lazy: likewise

    problem = None
    try:
        found = find_credentials(
            options.server_url,
            options.api_key,
            options.api_user,
            profile=options.profile,
            unlock=False,
        )
        origins = found.origins
        settings = [
            Setting("profile", found.profile, origins.server_url if found.profile else "unused"),
            Setting("server_url", found.server_url, origins.server_url),
            Setting("api_user", found.api_user, origins.api_user),
            Setting("api_key", MASK, origins.api_key),
        ]
    except exception.ConfigurationError as error:
        load_profiles().selected()  # raises a broken file, or an unknown profile, as an error
        problem = with_options(str(error))
        settings = list(_incomplete(options))
    settings = [each._replace(origin=with_options(each.origin)) for each in settings]
    return [*settings, *_others()], problem


def _incomplete(options: ConnectionOptions) -> Iterator[Setting]:
    """Yield the settings of a connection one by one, because some are missing."""
    from ftrack_like._transport.redaction import MASK, masked  # lazy: "--help" answers at once

    for name, given, variables in (
        ("server_url", options.server_url, ("FTRACK_SERVER",)),
        ("api_user", options.api_user, ("FTRACK_API_USER",)),
        ("api_key", options.api_key, ("FTRACK_API_KEY", "FTRACK_APIKEY")),
    ):
        value, origin = given, f"the argument {name}" if given else "not set"
        for variable in variables:
            if not value and os.environ.get(variable):
                value, origin = os.environ[variable], f"the environment variable {variable}"
        shown = value and (MASK if name == "api_key" else masked(value))
        yield Setting(name, shown or None, origin)


def _others() -> Iterator[Setting]:
    """Yield the settings that come from one variable each."""
    from ftrack_like._transport.redaction import masked  # lazy: "--help" answers at once
    from ftrack_like.cli._schema_checks import schema_place  # lazy: likewise

    place = schema_place()
    if place is None:
        yield Setting("schema_cache_path", None, "default")
    else:
        origin = place.origin
        if place.problem is not None:
            origin = f"instead of {place.chosen} ({origin}), not writable: {place.problem}"
        yield Setting("schema_cache_path", place.used, origin)
    for name, variables, default in _VARIABLES:
        chosen = next((each for each in variables if os.environ.get(each)), None)
        if chosen is None:
            yield Setting(name, default, "default" if default else "not set")
        else:
            yield Setting(name, masked(os.environ[chosen]), f"the environment variable {chosen}")
