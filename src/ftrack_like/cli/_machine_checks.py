"""Checks of this machine: profiles, ffmpeg, Python and packages."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import subprocess
import sys
from typing import Optional

from ftrack_like._version import __version__
from ftrack_like.cli._checks import FAIL, OK, WARN, Diagnosis

__all__ = [
    "OPTIONAL",
    "REQUIRED",
    "check_ffmpeg",
    "check_packages",
    "check_profiles",
    "check_python",
]

#: The packages that the client needs, with the oldest version that works.
REQUIRED = {
    "requests": "2.25.1",
    "arrow": "0.17",
    "clique": "1.6.1",
    "platformdirs": "4",
    "websocket-client": "0.59",
}
#: The packages of the extras.
OPTIONAL = {
    "sandbox": ("starlette", "uvicorn", "wsproto", "sqlalchemy", "jinja2"),
    "media": ("pillow", "imageio-ffmpeg", "av"),
    "redis": ("redis",),
    "postgres": ("psycopg",),
    "cli": ("rich", "tqdm"),
    "keyring": ("keyring",),
    "telemetry": ("opentelemetry-api",),
}
_OLDEST_PYTHON = (3, 9)


def check_profiles() -> list[Diagnosis]:
    """Check that the profile file can be read, and only by its owner."""
    from ftrack_like import exception  # lazy: "--help" answers at once
    from ftrack_like._configuration.files import warn_if_readable_by_others  # lazy: likewise
    from ftrack_like._configuration.profiles import load_profiles  # lazy: likewise

    try:
        profiles = load_profiles()
        found = [profiles.get(name) for name in profiles.names]  # raises an error for each mistake
    except exception.ConfigurationError as error:
        first, _, advice = str(error).partition("\n")
        return [Diagnosis("profiles", FAIL, first, advice or "Run: ftrack-like config path")]
    if profiles.path is None:
        text = "This user has no folder for settings."
        return [Diagnosis("profiles", OK, text)]
    if not profiles.exists:
        return [Diagnosis("profiles", OK, f"There is no profile file {profiles.path}.")]
    loose = (
        None
        if all(each.in_keyring for each in found)
        else warn_if_readable_by_others(profiles.path)
    )
    if loose is not None:
        text, _, command = loose.partition(" Run: ")
        return [Diagnosis("profiles", WARN, text, f"Run: {command}")]
    names = ", ".join(profiles.names) or "none"
    return [
        Diagnosis("profiles", OK, f"{profiles.path} has: {names}. Default: {profiles.default}.")
    ]


def check_ffmpeg(timeout: float) -> list[Diagnosis]:
    """Check that ffmpeg is there and runs, and the packages beside it; only encoding needs it."""
    from ftrack_like._base.errors import missing_package  # lazy: "--help" answers at once
    from ftrack_like._base.ffmpeg import find_ffmpeg  # lazy: "--help" answers at once
    from ftrack_like.exception import MediaError  # lazy: likewise

    try:
        path = find_ffmpeg()
        done = subprocess.run(
            [path, "-version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=True,
        )
    except MediaError as error:
        first, _, advice = str(error).partition(". ")
        return [Diagnosis("ffmpeg", WARN, f"{first}. Only encoding needs it.", advice)]
    except (OSError, subprocess.SubprocessError) as error:
        text = f"ffmpeg does not run: {error}"
        return [Diagnosis("ffmpeg", WARN, text, "Set FTRACK_FFMPEG to the path of ffmpeg.")]
    version = re.match(r"ffmpeg version (\S+)", done.stdout)
    text = f"{path}, version {version[1] if version else 'unknown'}"
    missing = [name for name in ("pillow", "av") if _version_of(name) is None]
    if missing:
        text = f"{text}, but without {' and '.join(missing)}. Only encoding needs it."
        _, _, advice = missing_package("Encoding", missing[0], "media").partition(". ")
        return [Diagnosis("ffmpeg", WARN, text, advice)]
    return [Diagnosis("ffmpeg", OK, f"{text}.")]


def check_python() -> list[Diagnosis]:
    """Check the version of Python."""
    version = platform.python_version()
    text = f"{platform.python_implementation()} {version} on {platform.platform()}."
    library = Diagnosis("ftrack-like", OK, f"Version {__version__}.")
    if sys.version_info[:2] < _OLDEST_PYTHON:
        advice = f"Install Python {'.'.join(map(str, _OLDEST_PYTHON))} or later."
        return [library, Diagnosis("Python", FAIL, text, advice)]
    return [library, Diagnosis("Python", OK, text)]


def check_packages() -> list[Diagnosis]:
    """Check the versions of the packages that the client needs; list those of the extras."""
    found = {name: _version_of(name) for name in REQUIRED}
    wrong = [
        f"{name}>={least}"
        for name, least in REQUIRED.items()
        if (version := found[name]) is None or _numbers(version) < _numbers(least)
    ]
    text = ", ".join(f"{name} {version or 'is missing'}" for name, version in found.items())
    if wrong:
        command = f"Run: {sys.executable} -m pip install " + " ".join(f"'{each}'" for each in wrong)
        needed = Diagnosis("packages", FAIL, f"{text}. Too old or missing: {wrong}.", command)
    else:
        needed = Diagnosis("packages", OK, f"{text}.")
    states = []
    for extra, names in OPTIONAL.items():
        versions = {name: _version_of(name) for name in names}
        there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        missing = ", ".join(name for name, version in versions.items() if not version)
        states.append(f"{extra}: {there or 'not installed'}")
        if there and missing:
            states[-1] += f", without {missing}"
    return [needed, Diagnosis("extras", OK, f"{'; '.join(states)}.")]


def _version_of(name: str) -> Optional[str]:
    """Return the installed version of the distribution *name*, or None."""
    try:
        return importlib.metadata.version(name)
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError):
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of *version*, without zeros at the end."""
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
