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
from mutation import table

_MODULE = """
LIMIT = 3


def inside(x, low=0):
  if not low <= LIMIT and x < 2:
    return -x

  def inner(y):
    return max(y + 1, 0) if not LIMIT is None else y

  return inner(x)


def pairs(a, b):
  mean: list[int | None] = [*zip(a, b, strict=True)]
  match mean:
    case [2]:
      mean = None
  return mean
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
  """But no annotation, pattern or name of a variable, and no `strict`."""
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
  assert json.loads(_run(_PUT, package, mutant.number)) == want


_WATCH = """
import pathlib, sys
sys.path.insert(0, sys.argv[1])
import module
import heterojax
from mutation import mutants
package = pathlib.Path(sys.argv[1])
mutants.watch(package, 'module.py')
assert module.inside(-3) == 0
places = mutants.of(package, 'module.py')
print(*(places[n].what for path, n in mutants.SEEN), sep='\\n')
"""


def _run(script: str, *args: object) -> str:
  done = subprocess.run(
    [sys.executable, '-c', script, *map(str, args)],
    env=os.environ | proofs.PATHS,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout


def test_what_is_reached_is_seen(tmp_path: pathlib.Path) -> None:
  """Of the condition its first half, and nothing of what it leads to."""
  package = _package(tmp_path)
  places = {mutant.what for mutant in mutants.of(package, 'module.py')}
  assert places - {*_run(_WATCH, package).splitlines()} == {
    *('x < 2 -> x <= 2', '2 -> 3', '-x -> +x')
  }


@pytest.mark.parametrize('known', equivalents.KNOWN, ids=lambda k: k.what)
def test_what_changes_nothing_is_there(known: equivalents.Equivalent) -> None:
  """A reason goes when its line does."""
  package = pathlib.Path(heterojax.__file__).parent
  places = [table.entry(m) for m in mutants.of(package, known.path)]
  assert any(known[1:] == (text, what) for _, text, _, what in places)
  assert equivalents.why(*known)


def test_an_entry_replaces_that_of_its_module_alone(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  *_, known = equivalents.KNOWN
  record, page = tmp_path / 'mutants.json', tmp_path / 'proofs.md'
  record.write_text('{}')
  page.write_text('<!-- mutants -->\n<!-- end of mutants -->\n')
  monkeypatch.setattr(table, 'FOUND', record)
  monkeypatch.setattr(proofs, 'PAGE', page)
  first, second = [*table.MODULES][:2]
  lost = [3, 'return x < 2', 7, 'x < 2 -> x <= 2']
  same = [9, known.line, 0, known.what]
  table.keep({second: {'tried': 9, 'survivors': [lost]}})
  table.keep({known.path: {'tried': 5, 'survivors': [same]}})
  table.keep({first: {'tried': 7, 'survivors': []}})
  table.keep({second: {'tried': 8, 'survivors': [lost]}})
  assert [*json.loads(record.read_text())] == [first, second, known.path]
  rows = page.read_text().splitlines()[3:-1]
  assert rows == [
    f'| {first} | 7 | 7 | 0 | 0 |',
    f'| {second} | 8 | 7 | 0 | 1 |',
    f'| {known.path} | 5 | 4 | 1 | 0 |',
    '| all | 20 | 18 | 1 | 1 |',
    '',
    '| survivor | change |',
    '| --- | --- |',
    f'| {second}:3 | `x < 2 -> x <= 2` |',
  ]


@pytest.mark.slow
def test_a_sample_of_a_module() -> None:
  found = proofs.printed('mutation.table', 8, 'cluster/scale.py')
  ((path, of_module),) = found.items()
  assert path == 'cluster/scale.py'
  assert of_module['tried'] > len(of_module['survivors'])
