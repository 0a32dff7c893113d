"""`ftrack-like stubs`: write the types of a site for type checkers."""

from __future__ import annotations

import argparse
import keyword
import os
import sys
import tempfile
from typing import TYPE_CHECKING

from ftrack_like._base.renaming import put_into_place
from ftrack_like.cli._connection import add_connection_arguments, open_session

if TYPE_CHECKING:
    from ftrack_like.cli._stub_attributes import Configuration
    from ftrack_like.session import Session

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "write the types of a site for mypy and pyright"

#: The name of the written module, unless another is chosen.
_NAME = "ftrack_types"

_FIELDS = "key, entity_type, object_type_id, is_hierarchical, config, type.name"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command to *parser*."""
    parser.add_argument(
        "--out",
        metavar="FOLDER",
        default="typings",
        help="folder for the module; pyright finds it in 'typings' (default: typings)",
    )
    parser.add_argument(
        "--name",
        metavar="MODULE",
        type=_module_name,
        default=_NAME,
        help=f"name of the module from which programs import the types (default: {_NAME})",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; the status is 1 if the module is not up to date",
    )
    add_connection_arguments(parser)


def _module_name(text: str) -> str:
    """Return *text*, which must be the name of a module."""
    if not text.isidentifier() or keyword.iskeyword(text) or text == "ftrack_like":
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of the module")
    return text


def run(arguments: argparse.Namespace) -> int:
    """Write the module for the site in *arguments*, or check it; return the exit status."""
    from ftrack_like._values.catalogue import Catalogue  # lazy: "--help" answers at once
    from ftrack_like.cli._stub_module import stub_module  # lazy: likewise

    with open_session(arguments) as session:
        catalogue = Catalogue(session.schemas, list(session.types))
        text = stub_module(catalogue, _configurations(session))
        count = len(catalogue.names())
    path = os.path.join(arguments.out, f"{arguments.name}.pyi")
    if arguments.check:
        return _check(path, text)
    _write_module(path, text)
    print(f"{path}: {count} types of {session.server_url}", file=sys.stderr)
    return 0


def _configurations(session: Session) -> list[Configuration]:
    """Return the custom attributes of the site."""
    from ftrack_like.cli._stub_attributes import Configuration  # lazy: likewise

    if "CustomAttributeConfiguration" not in session.types:
        return []
    found = session.query(f"select {_FIELDS} from CustomAttributeConfiguration")
    return [
        Configuration(
            key=str(each["key"]),
            entity_type=str(each["entity_type"]),
            object_type_id=each["object_type_id"],
            is_hierarchical=bool(each["is_hierarchical"]),
            kind=str(each["type"]["name"]),
            settings=str(each["config"] or ""),
        )
        for each in found
    ]


def _check(path: str, text: str) -> int:
    """Return 0 if the file at *path* contains *text*, else 1 with a message."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            known = file.read()
    except (FileNotFoundError, UnicodeDecodeError):
        known = ""
    if known == text:
        return 0
    print(
        f"ftrack-like: {path} is not up to date with the site. Run the command without --check.",
        file=sys.stderr,
    )
    return 1


def _write_module(path: str, text: str) -> None:
    """Write *text* to the file at *path*, which appears only when it is complete."""
    folder = os.path.dirname(path)
    os.makedirs(folder or ".", exist_ok=True)
    handle, temporary = tempfile.mkstemp(".tmp", f".{os.path.basename(path)}.", folder or ".")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # The file for all, not a private temporary one.
        put_into_place(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
