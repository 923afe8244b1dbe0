"""The configuration of Sphinx; scripts/docs builds the site."""

from signalr_client import __version__

project = "signalr_client"
author = "The signalr_client authors"
copyright = "2026, The signalr_client authors"  # noqa: A001  # Sphinx calls it so
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["images"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"signalr_client {release}"

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Raises (while reading)", "Raises")]
