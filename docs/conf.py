"""The documentation site: python -m sphinx -W docs docs/_build."""

from heterojax.version import __version__

project = 'heterojax'
version = release = __version__
copyright = 'the heterojax authors'  # pylint: disable=redefined-builtin
extensions = ['myst_nb', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']
# The notebook is run by a test, and shown with what it printed.
nb_execution_mode = 'off'
# Pages beside the folder are no part of the site; a test follows all links.
suppress_warnings = ['myst.xref_missing']
myst_heading_anchors = 3
autodoc_member_order = 'bysource'
autodoc_typehints = 'none'
html_theme = 'furo'
html_title = f'heterojax {__version__}'
