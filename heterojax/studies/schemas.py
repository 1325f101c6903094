"""The JSON Schemas of `results.json`, a file for each study.

`python -m heterojax.studies.schemas` writes them anew, into the package and
into the docs of a clone.
"""

import pathlib

from heterojax import records
from heterojax.records import schema
from heterojax.run import run_folder
from heterojax.studies import registry

_PACKAGE = pathlib.Path(records.__file__).parent
_DOCS = _PACKAGE.parent.parent / 'docs'


def text(study: str) -> str:
  """The schema of a study's results, as the files hold it."""
  kind = registry.get(study).results
  title = f'results.json of a {study.replace("_", "-")} study'
  return run_folder.to_json(schema.schema(kind, title))


def paths(study: str) -> list[pathlib.Path]:
  """Where the schema of a study stands; outside a clone there are no docs."""
  paths = [_PACKAGE / f'{study}.schema.json']
  if _DOCS.is_dir():
    paths.append(_DOCS / f'results_{study}.schema.json')
  return paths


def main() -> None:
  """Writes all of them."""
  for study in registry.STUDIES:
    for path in paths(study):
      path.write_text(text(study))


if __name__ == '__main__':
  main()
