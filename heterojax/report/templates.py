"""The templates of the pages, each of which is one file that stands alone."""

from collections.abc import Callable
from importlib import resources

import jinja2


def load(name: str, filters: dict[str, Callable]) -> jinja2.Template:
  """One of the templates beside this module.

  Args:
    name: of its file.
    filters: what it calls functions of a value.

  Returns:
    The template; a name that it is not given is a mistake.
  """
  files = resources.files('heterojax.report')
  environment = jinja2.Environment(
    # Names of classes, files and folders come from outside.
    autoescape=True,
    loader=jinja2.FunctionLoader(
      lambda name: files.joinpath(name).read_text('utf-8')
    ),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= filters
  return environment.get_template(name)
