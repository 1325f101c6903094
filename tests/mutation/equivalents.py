"""Changes that no test can see, and why: the outcome is the same.

They stand in `equivalents.json`: of each module the reasons, and of each reason
the changes, as a line's text and what becomes of it.
"""

import json
import pathlib
from typing import NamedTuple


class Equivalent(NamedTuple):
  """One change that changes nothing.

  Attributes:
    path: of the module, relative to the package.
    line: its text, without the blanks around it.
    what: as `Mutant.what`.
  """

  path: str
  line: str
  what: str


# The reason of each.
KNOWN = {
  Equivalent(path, line, what): why
  for path, reasons in json.loads(
    pathlib.Path(__file__).with_suffix('.json').read_text()
  ).items()
  for why, changes in reasons.items()
  for line, what in changes
}


def why(path: str, line: str, what: str) -> str | None:
  """The reason for which a change is one of these, or None."""
  return KNOWN.get(Equivalent(path, line, what))
