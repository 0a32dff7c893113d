"""How Sphinx builds the documentation: without the network, and with warnings as errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ftrack_like import _version

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ftrack-like"
author = "The ftrack-like contributors"
project_copyright = "the ftrack-like contributors"
release = version = _version.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
nitpicky = False

autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "none"

html_theme = "furo"
html_title = f"ftrack-like {release}"
html_copy_source = False
html_show_sphinx = False

#: The lines that give a page the names that its examples use without defining them.
START = """\
from ftrack_like.testing import Sandbox

sandbox = Sandbox()
sandbox.start()
session = sandbox.session()
"""

_SETUP = re.compile(r"^\.\. setup\n((?:\n| +\S.*\n)+)", re.MULTILINE)
_CODE = re.compile(r"^(\.\. [^\n]*\n\n)?\.\. code-block:: python\n", re.MULTILINE)


def _fold(title: str, code: str) -> str:
    """Return reStructuredText that shows *code*, indented by three spaces, below *title*."""
    head = f".. raw:: html\n\n   <details><summary>{title}</summary>\n\n"
    return f"{head}.. code-block:: python\n\n{code.rstrip()}\n\n.. raw:: html\n\n   </details>\n\n"


def show_setup(text: str) -> str:
    """Return the page *text* with its comments ``.. setup`` as folds, so that examples can run.

    The first fold comes before the first example, and begins with :data:`START`. A page that
    starts its own sandbox, or whose examples run by pytest or use no session, gets none.
    """
    examples = [
        found
        for found in _CODE.finditer(text)
        if not (found[1] or "").startswith((".. not run:", ".. run by pytest"))
    ]
    uses = any(re.search(r"\b(session|sandbox)\b", text[each.end() :]) for each in examples)
    if not uses or "sandbox = Sandbox()" in text:
        return text
    begin = "".join(f"   {line}".rstrip() + "\n" for line in START.splitlines())
    setup = _SETUP.search(text)
    if setup is None or setup.start() > examples[0].start():
        place = examples[0].start()
        text = text[:place] + _fold("Run these lines first", begin) + text[place:]
    else:
        fold = _fold(
            "Run these lines first, in an empty folder", f"{begin}\n{setup[1].strip(chr(10))}"
        )
        text = text[: setup.start()] + fold + text[setup.end() :]
    return _SETUP.sub(lambda found: _fold("Run these lines too", found[1].strip("\n")), text)


def _show_setup(_app: Sphinx, _docname: str, content: list[str]) -> None:
    """Change the page that Sphinx has read: *content* has one item, its text."""
    content[0] = show_setup(content[0])


def setup(app: Sphinx) -> None:
    """Connect the step above."""
    app.connect("source-read", _show_setup)
