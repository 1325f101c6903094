"""Two runs compared: verdicts by brute force, files, checkpoints, wording."""

import csv
import fractions
import io
import json
import math
import pathlib
import shutil
import struct
import tempfile
from typing import Any

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from heterojax import differences
from heterojax.differences import files
from heterojax.differences import text
from heterojax.differences import values
from heterojax.errors import UserError

IDENTICAL, WITHIN = values.IDENTICAL, values.WITHIN
OTHER_BITS, DIFFERENT = values.OTHER_BITS, values.DIFFERENT
ENVIRONMENT = {
  'heterojax': '0.1.0',
  'processor': 'A',
  'num_devices': 1,
  'xla_flags': '',
  'packages': {'jax': '0.10.2', 'numpy': '2.4.6'},
}
CELLS = 'id,cluster,distance,label\na,0,1.5,x\nb,1,-2000.0,y\nc,2,,z\n'


def write(folder: pathlib.Path, name: str, content: Any) -> None:
  path = folder / name
  path.parent.mkdir(parents=True, exist_ok=True)
  if isinstance(content, np.ndarray):
    np.save(path, content)
  else:
    if not isinstance(content, str):
      content = json.dumps(content)
    path.write_text(content)


@pytest.fixture(name='here')
def _here(tmp_path: pathlib.Path) -> pathlib.Path:
  """A run folder with a file of each kind."""
  run = tmp_path / 'here'
  results = {
    'schema_version': 1,
    'overall': {'accuracy': 0.75, 'auc': None, 'auc_why': 'one class'},
    'clusters': [{'id': 0, 'size': 7}, {'id': 1, 'size': 5}],
    'timings': {'heads': {'seconds': 1.5}},
    'environment': ENVIRONMENT,
  }
  write(run, 'results.json', results)
  write(run, 'config.json', {'seed': 0, 'data': {'dir': '/a', 'sizes': [1]}})
  write(run, 'clusters.csv', CELLS)
  write(run, 'tables/table1.csv', CELLS)
  x = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)
  write(run, 'features/features.npy', x)
  write(run, 'checkpoints/heads.json', [{'name': 'overall', 'best': 0.5}])
  for step in ('000003', '000010'):
    leaves = {'params.bias': 'ab', 'params.kernel': step}
    content = {'about': 'x', 'leaves': leaves, 'digest': step}
    write(run, f'checkpoints/steps/{step}/digests.json', content)
  leaves = {'bias': 'cd', 'kernel': 'ef'}
  write(run, 'checkpoints/heads/digests.json', {'leaves': leaves})
  return run


@pytest.fixture(name='there')
def _there(here: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  return shutil.copytree(here, tmp_path / 'there')


def other(here: pathlib.Path, there: pathlib.Path, **kwargs: Any) -> dict:
  """Names of what is not identical, to verdict and detail."""
  compared = differences.compare(here, there, **kwargs)
  return {
    item.name: (item.verdict, item.detail)
    for item in compared.items
    if item.verdict != IDENTICAL
  }


def edit(folder: pathlib.Path, name: str, **fields: Any) -> None:
  """Changes fields of a JSON file; a__0__b stands for a[0].b."""
  tree = json.loads((folder / name).read_text())
  for path, value in fields.items():
    *where, last = (int(p) if p.isdigit() else p for p in path.split('__'))
    inner = tree
    for part in where:
      inner = inner[part]
    inner[last] = value
  write(folder, name, tree)


# Values.

_NUMBERS = st.one_of(
  st.integers(), st.floats(allow_nan=True, allow_infinity=True)
)
_LEAVES = st.one_of(_NUMBERS, st.text(max_size=3), st.none(), st.booleans())
_TREES = st.recursive(
  _LEAVES,
  lambda inner: (
    st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=3), inner, max_size=3)
  ),
  max_leaves=12,
)


def same(a: Any, b: Any) -> bool:
  """To the bit."""
  if type(a) is not type(b):
    return False
  if isinstance(a, float):
    if math.isnan(a):
      return math.isnan(b)
    return struct.pack('d', a) == struct.pack('d', b)
  return a == b


@hypothesis.given(_LEAVES, _LEAVES, st.sampled_from([0.0, 1e-9, 1e-4, 0.3]))
@hypothesis.example(0.0, -0.0, 1e-4)
@hypothesis.example(1, True, 1e-4)
@hypothesis.example(1, 1.0, 0.0)
@hypothesis.example(math.inf, -math.inf, 0.3)
@hypothesis.example(math.nan, math.nan, 0.0)
@hypothesis.example(1e308, -1e308, 0.3)
@hypothesis.example(10**400, 1.5, 0.3)
@hypothesis.example(100_000, 100_001, 0.3)
@hypothesis.example(100_000, 100_001.0, 1e-4)
def test_the_verdict_on_two_leaves(a: Any, b: Any, tolerance: float) -> None:
  """Against the definition in exact fractions."""
  expected = DIFFERENT
  if same(a, b):
    expected = IDENTICAL
  elif (
    tolerance
    and {type(a), type(b)} in ({float}, {int, float})
    and all(isinstance(v, int) or math.isfinite(v) for v in (a, b))
  ):
    p, q, t = map(fractions.Fraction, (a, b, tolerance))
    most = t * max(1, abs(p), abs(q))
    hypothesis.assume(abs(abs(p - q) / most - 1) > 1e-9)  # Rounding.
    expected = WITHIN if abs(p - q) <= most else DIFFERENT
  assert values.judge(a, b, tolerance) == expected
  assert values.judge(b, a, tolerance) == expected


@pytest.mark.parametrize('a', [0.5, 1.0, 1234.5, -3e8])
def test_the_edge_of_the_tolerance(a: float) -> None:
  most = 1e-4 * max(1, abs(a))
  assert values.judge(a, a + 0.99 * most, 1e-4) == WITHIN
  assert values.judge(a, a - 1.02 * most, 1e-4) == DIFFERENT
  assert values.judge(a, np.nextafter(a, 9e9).item(), 0.0) == DIFFERENT
  assert values.judge(a, np.nextafter(a, 9e9).item(), 1e-12) == WITHIN


def rebuilt(tree: Any, path: tuple = ()) -> dict[tuple, Any]:
  """Leaves by their keys, by recursion."""
  if isinstance(tree, dict) and tree:
    parts = [rebuilt(value, (*path, key)) for key, value in tree.items()]
  elif isinstance(tree, list) and tree:
    parts = [rebuilt(value, (*path, i)) for i, value in enumerate(tree)]
  else:
    return {path: tree}
  return {name: value for part in parts for name, value in part.items()}


@hypothesis.given(_TREES)
def test_no_leaf_is_lost_by_its_name(tree: Any) -> None:
  leaves = values.flatten(tree)
  expected = rebuilt(tree)
  assert len(leaves) == len(expected)
  assert all(map(same, leaves.values(), expected.values()))


def test_names_of_leaves() -> None:
  tree = {'a': [{'b': {}}, [1, []]], 'c d': {'x.y': 1, 'x': {'y': 2}}}
  assert values.flatten(tree) == {
    'a[0].b': {},
    'a[1][0]': 1,
    'a[1][1]': [],
    "['c d']['x.y']": 1,
    "['c d'].x.y": 2,
  }
  assert values.flatten(3) == {'': 3}


@hypothesis.given(_TREES, _TREES)
def test_any_two_trees(a: Any, b: Any) -> None:
  found = {i.name: i.verdict for i in values.items('k', a, b, 0.0)}
  tops = [
    {k: v for k, v in t.items() if k not in ('timings', 'environment')}
    if isinstance(t, dict)
    else t
    for t in (a, b)
  ]
  alike = rebuilt(tops[0]).keys() == rebuilt(tops[1]).keys() and all(
    same(v, rebuilt(tops[1])[k]) for k, v in rebuilt(tops[0]).items()
  )
  assert (set(found.values()) == {IDENTICAL}) == alike
  assert not {i.verdict for i in values.items('k', a, a, 0.0)} - {IDENTICAL}


# Whole runs.


def test_a_copy_is_identical(here: pathlib.Path, there: pathlib.Path) -> None:
  edit(there, 'results.json', timings__heads__seconds=9.0)
  compared = differences.compare(here, there)
  assert compared.identical and compared.agree
  assert not compared.settings and not compared.environment
  kinds = [item.kind for item in compared.items]
  assert {kind: kinds.count(kind) for kind in differences.KINDS} == {
    'fields of results.json': 8,
    'tables': 3,
    'arrays': 1,
    'arrays in checkpoints': 4,
  }
  assert text.lines(compared) == [
    'Here is --workdir, there is the other run; compared with tolerance'
    ' 0.0001, relative to the larger number or to 1, and of features to the'
    ' largest value of their row.',
    'fields of results.json: 8 identical',
    'tables: 3 identical',
    'arrays: 1 identical',
    'arrays in checkpoints: 4 identical',
    'All that was compared is identical to the bit.',
  ]


@pytest.mark.parametrize(
  'field, value, verdict',
  [
    ('overall__accuracy', 0.75005, WITHIN),
    ('overall__accuracy', 0.7502, DIFFERENT),
    ('overall__accuracy', None, DIFFERENT),
    ('overall__auc', 0.5, DIFFERENT),
    ('overall__auc_why', 'one  class', DIFFERENT),
    ('clusters__1__size', 6, DIFFERENT),
    ('clusters__1__id', 1.0, WITHIN),
    ('clusters__0', {'id': 0}, DIFFERENT),
    ('clusters', [], DIFFERENT),
    ('seed', 0, DIFFERENT),
  ],
)
def test_fields(
  here: pathlib.Path,
  there: pathlib.Path,
  field: str,
  value: Any,
  verdict: str,
) -> None:
  edit(there, 'results.json', **{field: value})
  for pair in ((here, there), (there, here)):
    found = other(*pair)
    assert {v for v, _ in found.values()} == {verdict}
    assert differences.compare(*pair).agree == (verdict == WITHIN)
    exact = differences.compare(*pair, tolerance=0.0)
    assert not exact.agree and not exact.identical


@pytest.mark.parametrize(
  'old, new, verdict, says',
  [
    (
      '1.5',
      '1.50001',
      WITHIN,
      'distance: 1 cell from row 1 on, by up to 6.7e-06',
    ),
    ('-2000.0', '-2000.1', WITHIN, 'from row 2 on, by up to 5e-05'),
    ('-2000.0', '-2001.0', DIFFERENT, 'by up to 0.0005'),
    ('1.5', '1.50', WITHIN, 'by up to 0'),
    ('c,2,,z', 'c,2,0.0,z', DIFFERENT, 'not all of them fractions'),
    ('b,1,', 'b,2,', DIFFERENT, 'cluster: 1 cell from row 2 on'),
    (',y', ',Y', DIFFERENT, 'label: 1 cell'),
    ('c,2,,z\n', '', DIFFERENT, 'other rows from row 3 on'),
    ('c,2,,z\n', 'c,2,,z\nd,0,1.0,x\n', DIFFERENT, 'rows from row 4 on'),
    ('b,1', 'b', DIFFERENT, 'other rows from row 2 on'),
    ('distance', 'other', DIFFERENT, 'other columns'),
    ('a,0', '"a",0', WITHIN, 'the same cells, written otherwise'),
    ('1.5', 'nan', DIFFERENT, 'not all of them fractions'),
    ('1.5', 'inf', DIFFERENT, 'not all of them fractions'),
    ('1.5', '1' * 5000, DIFFERENT, 'not all of them fractions'),
    (',x', f',{"x" * 200_000}', DIFFERENT, 'no table (field larger'),
    (CELLS, '', DIFFERENT, 'other columns'),
    (CELLS, '\x00', DIFFERENT, 'other columns'),
  ],
)
def test_tables(
  here: pathlib.Path,
  there: pathlib.Path,
  old: str,
  new: str,
  verdict: str,
  says: str,
) -> None:
  write(there, 'tables/table1.csv', CELLS.replace(old, new, 1))
  ((name, (found, detail)),) = other(here, there).items()
  assert name == 'tables/table1.csv'
  assert found == verdict
  assert says in detail
  ((_, (found, _)),) = other(there, here, tolerance=0.0).items()
  assert found == DIFFERENT


def test_a_table_that_is_no_text(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  for run, label in ((here, b'\xff'), (there, b'\xfe')):
    (run / 'clusters.csv').write_bytes(b'id\n' + label + b'\n')
  assert other(here, there)['clusters.csv'][0] == DIFFERENT


def csv_of(rows: list[list[Any]]) -> str:
  file = io.StringIO()
  csv.writer(file).writerows([['a', 'b'], *rows])
  return file.getvalue()


_ROWS = st.lists(
  st.tuples(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1e-6, 1e-2])),
  min_size=1,
)


@pytest.mark.medium
@hypothesis.given(_ROWS)
def test_the_largest_difference_of_a_column(
  rows: list[tuple[float, float]],
) -> None:
  """Against a loop over all cells."""
  a = [[value, i] for i, (value, _) in enumerate(rows)]
  b = [[value + d * max(1, abs(value)), i] for i, (value, d) in enumerate(rows)]
  worst = max(
    abs(p - q) / max(1, abs(p), abs(q)) for (p, _), (q, _) in zip(a, b)
  )
  with tempfile.TemporaryDirectory() as folder:
    runs = [pathlib.Path(folder) / name for name in 'ab']
    for run, own in zip(runs, (a, b)):
      write(run, 'clusters.csv', csv_of(own))
    (item,) = files.items(*runs, 1e-4)
  if csv_of(a) == csv_of(b):
    assert item.verdict == IDENTICAL
  else:
    assert item.verdict == (WITHIN if worst <= 1e-4 else DIFFERENT)
    assert item.detail.endswith(f'by up to {worst:.2g}')


# Arrays.


@pytest.mark.parametrize('shape', [(60, 8), (60,), (7, 2, 3), (1, 1), (0, 5)])
@pytest.mark.parametrize('block', [1, 100, 2**24])
def test_rows_in_blocks(
  shape: tuple[int, ...], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Against a loop over all rows."""
  monkeypatch.setattr(files, '_BLOCK', block)
  rng = np.random.default_rng(len(shape))
  a = rng.standard_normal(shape).astype(np.float32)
  b = (a + 1e-3 * rng.standard_normal(shape)).astype(np.float32)
  if len(a) > 2:
    b[:2] = a[:2]
  worst = 0.0
  for x, y in zip(a, b) if a.ndim > 1 else [(a, b)]:
    x, y = x.astype(np.float64), y.astype(np.float64)
    worst = max(worst, np.abs(x - y).max() / max(abs(x).max(), abs(y).max()))
  assert files.row_difference(a, b) == pytest.approx(worst, rel=1e-12)
  assert files.row_difference(a, a) == 0


def test_rows_that_are_zero_or_no_number() -> None:
  zero = np.zeros((2, 3), np.float32)
  assert files.row_difference(zero, -zero) == 0
  for value in (np.nan, np.inf):
    bad = zero.copy()
    bad[1, 2] = value
    assert files.row_difference(zero, bad) == math.inf
    assert files.row_difference(bad, zero) == math.inf
    assert files.row_difference(bad, bad) in (0, math.inf)
  largest = np.full((1, 2), 3e38, np.float32)
  assert files.row_difference(largest, -largest) == 2


def test_arrays(here: pathlib.Path, there: pathlib.Path) -> None:
  path = there / 'features' / 'features.npy'
  x = np.load(path)
  for change, verdict in ((1e-6, WITHIN), (1e-2, DIFFERENT)):
    y = x.copy()
    y[30, 3] += change
    np.save(path, y)
    found, detail = other(here, there)['features/features.npy']
    assert found == verdict
    worst = abs(y - x).max() / abs(x[30]).max()
    assert f'by up to {worst:.2g} of the largest' in detail
    assert other(here, there, tolerance=0.0)['features/features.npy'][0] == (
      DIFFERENT
    )


@pytest.mark.parametrize(
  'content, says',
  [
    (np.zeros((59, 8), np.float32), 'float32 [59, 8] there'),
    (np.zeros((60, 8)), 'float64 [60, 8] there'),
    (b'', 'no array'),
    (b'PK\x03\x04' + bytes(99), 'no array'),
    (b'\x93NUMPY\x01\x00\x06\x00{}   \n', 'no array'),
    (
      b'\x93NUMPY\x01\x00v\x00'
      + b"{'descr': '<f4', 'fortran_order': False,"
      b" 'shape': (60, 99999999), }".ljust(117)
      + b'\n',
      'no array',
    ),
    (
      b'\x93NUMPY\x01\x00v\x00'
      + b"{'descr': '|O', 'fortran_order': False, 'shape': (60, 8), }".ljust(
        117
      )
      + b'\n'
      + bytes(9999),
      'no array',
    ),
  ],
)
def test_what_is_no_such_array(
  here: pathlib.Path, there: pathlib.Path, content: Any, says: str
) -> None:
  path = there / 'features' / 'features.npy'
  if isinstance(content, bytes):
    path.write_bytes(content)
  else:
    np.save(path, content)
  for pair in ((here, there), (there, here)):
    found, detail = other(*pair)['features/features.npy']
    assert found == DIFFERENT
    assert says in detail or pair[0] == there


# Checkpoints and what only one of them has.


def test_checkpoints(here: pathlib.Path, there: pathlib.Path) -> None:
  steps = 'checkpoints/steps'
  edit(there, f'{steps}/000003/digests.json', leaves__0='of an old step')
  edit(there, f'{steps}/000010/digests.json', about='y', digest='z')
  write(there, 'checkpoints/damaged_heads/digests.json', {'leaves': {'a': 1}})
  write(there, 'checkpoints/damaged_heads/a.json', {})
  assert not other(here, there)
  edit(there, 'checkpoints/heads/digests.json', leaves__bias='00')
  edit(there, f'{steps}/000010/digests.json', leaves__more='11')
  assert other(here, there) == {
    'heads: bias': (OTHER_BITS, 'cd here, 00 there'),
    'steps: more': (DIFFERENT, 'only there'),
  }
  exact = other(here, there, tolerance=0.0)
  assert exact['heads: bias'] == (DIFFERENT, 'cd here, 00 there')


def test_other_bits_do_not_disagree_within_a_tolerance(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  edit(there, 'checkpoints/heads/digests.json', leaves__bias='00')
  compared = differences.compare(here, there)
  assert compared.agree and not compared.identical
  assert not differences.compare(here, there, tolerance=0.0).agree


def test_trees_beside_checkpoints(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  name = 'checkpoints/heads.json'
  edit(there, name, **{'0__best': 0.50001})
  assert other(here, there)[name][0] == WITHIN
  edit(there, name, **{'0__name': 'cluster 1'})
  assert other(here, there)[name] == (
    DIFFERENT,
    '2 fields, the first is [0].name',
  )
  for run in (here, there):
    content = {'best': 1, 'environment': str(run), 'digests': str(run)}
    write(run, name, content)
  assert not other(here, there)


def test_files_that_one_run_lacks(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  names = ('clusters.csv', 'features/features.npy', 'checkpoints/heads.json')
  for name in names:
    (there / name).unlink()
  assert other(here, there) == dict.fromkeys(names, (DIFFERENT, 'only here'))
  assert other(there, here) == dict.fromkeys(names, (DIFFERENT, 'only there'))


# What may explain it, and the text.


def test_settings_and_environment(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  edit(there, 'config.json', seed=1, data__sizes=[1, 2])
  packages = {'jax': '0.10.3', 'numpy': '2.4.6', 'new': '1'}
  edit(
    there,
    'results.json',
    environment__packages=packages,
    environment__num_devices=2,
    overall__accuracy=0.5,
  )
  compared = differences.compare(here, there)
  assert compared.settings == (
    ('seed', '0', '1'),
    ('data.sizes[1]', 'absent', '2'),
  )
  assert compared.environment == (
    ('num_devices', '1', '2'),
    ('packages.jax', '"0.10.2"', '"0.10.3"'),
    ('packages.new', 'absent', '"1"'),
  )
  lines = text.lines(compared)
  assert '  overall.accuracy is different (0.75 here, 0.5 there)' in lines
  assert '  packages.jax: "0.10.2" here, "0.10.3" there' in lines
  assert 'not the same (seed, data.sizes[1]), which may explain' in lines[-1]
  assert 'here num_devices, packages.jax, packages.new may' in lines[-1]


def test_the_explanation_where_nothing_differs(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  edit(there, 'results.json', overall__accuracy=0.5)
  said = text.explanation(differences.compare(here, there))
  assert said.startswith('Settings and environment are the same')


def test_another_environment_of_identical_runs(
  here: pathlib.Path, there: pathlib.Path
) -> None:
  edit(there, 'results.json', environment__processor='B')
  lines = text.lines(differences.compare(here, there))
  assert '  processor: "A" here, "B" there' in lines
  assert lines[-1] == 'All that was compared is identical to the bit.'


def test_long_lists_and_values_are_cut() -> None:
  items = [values.Item('tables', f't{i}', WITHIN) for i in range(15)]
  items += [
    values.Item('tables', f'd{i}', DIFFERENT, 'z' * 999) for i in range(15)
  ]
  changes = tuple(values.Change(f'c{i}', 'x' * 999, 'y') for i in range(50))
  lines = text.lines(
    differences.Comparison(1e-4, tuple(items), environment=changes)
  )
  assert 'tables: 15 within the tolerance, 15 different' in lines
  # The worst come first.
  start = lines.index('Not identical, tables:')
  names = [line.split()[0] for line in lines[start + 1 : start + 21]]
  assert names == [f'd{i}' for i in range(15)] + [f't{i}' for i in range(5)]
  assert lines[start + 21] == '  and 10 more'
  assert '  and 30 more' in lines
  assert max(map(len, lines[:-1])) < 300


@pytest.mark.parametrize('name', ['results.json', 'config.json'])
@pytest.mark.parametrize('content', ['', '{"a": ', '[1]', '3', '[' * 10**5])
def test_what_cannot_be_read(
  here: pathlib.Path, there: pathlib.Path, name: str, content: str
) -> None:
  write(there, name, content)
  with pytest.raises(UserError, match=f'there/{name} .*run the study again'):
    differences.compare(here, there)


def test_a_run_without_results(here: pathlib.Path, there: pathlib.Path) -> None:
  (there / 'results.json').unlink()
  with pytest.raises(UserError, match='There is no .*there/results.json'):
    differences.compare(here, there)


@pytest.mark.parametrize('content', ['[]', '{}', '{"leaves": 3}', 'x'])
def test_digests_that_cannot_be_read(
  here: pathlib.Path, there: pathlib.Path, content: str
) -> None:
  write(there, 'checkpoints/heads/digests.json', content)
  with pytest.raises(UserError, match='run the study again'):
    differences.compare(here, there)
