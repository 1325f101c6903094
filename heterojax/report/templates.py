"""The templates of the pages, each of which is one file that stands alone."""

from collections.abc import Callable
from importlib import resources

import jinja2


def text(name: str) -> str:
  """A file beside this module."""
  return resources.files('heterojax.report').joinpath(name).read_text('utf-8')


def load(name: str, filters: dict[str, Callable]) -> jinja2.Template:
  """One of the templates beside this module.

  Args:
    name: of its file.
    filters: what it calls functions of a value.

  Returns:
    The template; a name that it is not given is a mistake.
  """
  environment = jinja2.Environment(
    # Names of classes, files and folders come from outside.
    autoescape=True,
    loader=jinja2.FunctionLoader(text),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= filters
  return environment.get_template(name)
