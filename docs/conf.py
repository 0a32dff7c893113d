"""How Sphinx builds the documentation: without the network, and with warnings as errors."""

from __future__ import annotations

from ftrack_like import _version

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
