"""Changes are made where they are said to be, and tests are run on them."""

import json
import os
import pathlib
import subprocess
import sys

import proofs
import pytest

import heterojax
from mutation import equivalents
from mutation import mutants

_MODULE = """
LIMIT = 3


def inside(x, low=0):
  if not low <= LIMIT and x < 2:
    return -x

  def inner(y):
    return max(y + 1, 0) if not LIMIT is None else y

  return inner(x)
"""

_PUT = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
import module
from module import inside
import heterojax
from mutation import equivalents
from mutation import mutants
package = pathlib.Path(sys.argv[1])
mutant = mutants.of(package, 'module.py')[int(sys.argv[2])]
assert mutants.put(package, mutant) == 1
print(json.dumps([inside(x) for x in (-3, 0, 2, 5)]))
"""


def _package(tmp_path: pathlib.Path) -> pathlib.Path:
  (tmp_path / 'module.py').write_text(_MODULE)
  return tmp_path


def test_every_place_of_a_function_is_changed_once(
  tmp_path: pathlib.Path,
) -> None:
  found = mutants.of(_package(tmp_path), 'module.py')
  assert sorted((m.line, m.what) for m in found) == [
    (6, '2 -> 3'),
    (6, 'low <= LIMIT -> low < LIMIT'),
    (6, 'not low <= LIMIT -> not not low <= LIMIT'),
    (6, 'not low <= LIMIT and x < 2 -> not low <= LIMIT or x < 2'),
    (6, 'x < 2 -> x <= 2'),
    (7, '-x -> +x'),
    (10, '0 -> 1'),
    (10, '1 -> 2'),
    (10, 'LIMIT is None -> LIMIT is not None'),
    (10, 'max -> min'),
    (10, 'not LIMIT is None -> not not LIMIT is None'),
    (10, 'y + 1 -> y - 1'),
  ]
  assert [m.number for m in found] == [*range(len(found))]


@pytest.mark.parametrize(
  ('what', 'want'),
  [
    ('not low <= LIMIT -> not not low <= LIMIT', [3, 0, 3, 6]),
    ('not low <= LIMIT and x < 2 -> not low <= LIMIT or x < 2', [3, 0, 3, 6]),
    ('max -> min', [-2, 0, 0, 0]),
    ('1 -> 2', [0, 2, 4, 7]),
    ('y + 1 -> y - 1', [0, 0, 1, 4]),
  ],
)
def test_who_has_a_function_gets_its_change(
  tmp_path: pathlib.Path, what: str, want: list[int]
) -> None:
  package = _package(tmp_path)
  (mutant,) = (m for m in mutants.of(package, 'module.py') if m.what == what)
  done = subprocess.run(
    [sys.executable, '-c', _PUT, str(package), str(mutant.number)],
    env=os.environ | proofs.PATHS,
    capture_output=True,
    text=True,
    check=True,
  )
  assert json.loads(done.stdout) == want


@pytest.mark.parametrize('known', equivalents.KNOWN, ids=lambda k: k.what)
def test_what_changes_nothing_is_there(known: equivalents.Equivalent) -> None:
  """A reason goes when its line does."""
  package = pathlib.Path(heterojax.__file__).parent
  found = mutants.of(package, known.path)
  assert any(equivalents.why(package, m) == known.why for m in found)
  lines = (package / known.path).read_text().splitlines()
  places = [m.what for m in found if lines[m.line - 1].strip() == known.line]
  assert known.what in places


@pytest.mark.slow
def test_a_sample_of_a_module() -> None:
  found = proofs.printed('mutation.table', 8, 'datasets/splits.py')
  ((path, (tried, survivors, equal)),) = found.items()
  assert path == 'datasets/splits.py'
  assert tried > len(survivors) + equal
