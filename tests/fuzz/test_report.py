"""Reports and tables: names from outside are text there, and no more."""

import csv
from html import parser
import io
import json
import pathlib

import hypothesis
from hypothesis import strategies as st
import pytest
import retraining_results

from fuzz import harness
from fuzz import strategies
from fuzz import subjects
from fuzz import test_archives
from heterojax.datasets import manifest
from heterojax.launch import compare
from heterojax.records import codec
from heterojax.report import blocks
from heterojax.studies.pages import common
from heterojax.studies.retraining import pages
from heterojax.studies.retraining.pages import page
from heterojax.studies.retraining.pages import tables
from heterojax.studies.retraining.records import Results

_PLAIN = ('Positive word', 'Negative word')
_BEGINNINGS = '=+-@\t\r\n＝＋－＠'
_names = st.one_of(
  st.sampled_from(strategies.MARKUP + strategies.FORMULAS),
  st.text(st.characters(exclude_categories=('Cs',)), min_size=1, max_size=12),
  st.text('<>&"\'=/ !-[]{}%#$abx', min_size=1, max_size=20),
)


class _Elements(parser.HTMLParser):
  """Every element with the names of its attributes, and all text."""

  def __init__(self, html: str):
    super().__init__()
    self.found: list[tuple[str, tuple[str, ...]]] = []
    self.text: list[str] = []
    self.feed(html)
    self.close()

  def handle_starttag(self, tag: str, attrs: list) -> None:
    self.found.append((tag, tuple(name for name, _ in attrs)))

  def handle_comment(self, data: str) -> None:
    self.found.append(('!--', ()))

  def handle_data(self, data: str) -> None:
    self.text.append(data)


def _renamed(text: str, names: tuple[str, str]) -> str:
  """JSON with other class names; in one pass, as one may hold the other."""
  parts = text.split(_PLAIN[0])
  escaped = [json.dumps(name)[1:-1] for name in names]
  return escaped[0].join(p.replace(_PLAIN[1], escaped[1]) for p in parts)


def _of_names(results: Results, names: tuple[str, str]) -> Results:
  """The same results with other class names."""
  text = _renamed(json.dumps(codec.encode(results)), names)
  return codec.decode(Results, json.loads(text))


@pytest.fixture(name='made', scope='module')
def _made(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run')
  results, view = retraining_results.study(folder, 2, names=_PLAIN)
  return folder, results, view, pages.draw(results, view)


def _page(made, names: tuple[str, str]) -> _Elements:
  """The report of the same run with other names of classes."""
  folder, results, view, drawn = made
  rows = common.manifest(folder)
  for row in rows:
    if row['label'] in _PLAIN:
      row['label'] = names[_PLAIN.index(row['label'])]
  own = page.page(_of_names(results, names), view, rows, {})
  return _Elements(blocks.html(own, drawn))


@pytest.fixture(name='plain', scope='module')
def _plain_page(made) -> _Elements:
  return _page(made, _PLAIN)


@harness.fuzz(0.3)
@hypothesis.given(names=st.lists(_names, min_size=2, max_size=2, unique=True))
def test_names_add_no_element_to_a_report(made, plain, names) -> None:
  found = _page(made, tuple(names))
  assert found.found == plain.found
  # As it is, and not escaped once more.
  whole = ''.join(''.join(found.text).split())
  for name in names:
    assert ''.join(name.replace('\0', '\ufffd').split()) in whole
  harness.count('report', 'accepted')


def test_hostile_names_of_files_and_columns_add_no_element(
  made, tmp_path: pathlib.Path, monkeypatch
) -> None:
  """The study names files, columns, weights and reasons after a script."""
  hostile = _page(made, _PLAIN)
  monkeypatch.setattr(retraining_results, 'HOSTILE', 'plain')
  results, view = retraining_results.study(tmp_path, 2, names=_PLAIN)
  plain = _page((tmp_path, results, view, made[-1]), _PLAIN)
  assert set(hostile.found) <= set(plain.found)
  assert [tag for tag, _ in hostile.found].count('script') == 1  # Its own.


_EXAMPLE = (
  pathlib.Path(__file__).parents[2] / 'docs' / 'results_retraining.json'
)


def _comparison(folder: pathlib.Path, names: tuple[str, str]) -> _Elements:
  results = json.loads(_EXAMPLE.read_text())
  d = results['dataset']
  text = json.dumps(results).replace(d['positive'], _PLAIN[0])
  text = _renamed(text.replace(d['negative'], _PLAIN[1]), names)
  (folder / 'results.json').write_text(text)
  out = folder / 'out'
  assert compare.main(['x', f'--workdirs={folder}', f'--out={out}']) == 0
  for row in csv.reader(
    io.StringIO((out / 'comparison.csv').read_bytes().decode(), newline='')
  ):
    _check_harmless(row)
  return _Elements((out / 'comparison.html').read_bytes().decode())


@pytest.fixture(name='plain_comparison', scope='module')
def _plain_comparison(tmp_path_factory) -> _Elements:
  return _comparison(tmp_path_factory.mktemp('plain'), _PLAIN)


@harness.fuzz(0.3)
@hypothesis.given(names=st.lists(_names, min_size=2, max_size=2, unique=True))
def test_names_add_no_element_to_a_comparison(
  plain_comparison, tmp_path_factory, names
) -> None:
  folder, want = tmp_path_factory.getbasetemp(), plain_comparison
  assert _comparison(folder, tuple(names)).found == want.found
  harness.count('comparison page', 'accepted')


@harness.fuzz()
@hypothesis.given(data=st.data())
def test_results_that_are_damaged(data: st.DataObject) -> None:
  (given,) = subjects.SUBJECTS['comparison'].sound()
  name = 'run/results.json'
  if data.draw(st.booleans()):
    content = data.draw(strategies.damaged(given.files[name]))
  else:
    content = test_archives.changed_json(data.draw, given.files[name])
  harness.check('comparison', given._replace(files={name: content}))


def _check_harmless(row: list[str]) -> None:
  for cell in row:
    if cell[:1] and cell[0] in _BEGINNINGS:
      float(cell)  # A number is none.
      assert cell.isascii()


_cells = st.one_of(
  strategies.text,
  st.sampled_from(_BEGINNINGS).flatmap(
    lambda c: strategies.text.map(lambda text: c + text)
  ),
  st.sampled_from(["'", "''"]).flatmap(
    lambda c: strategies.text.map(lambda text: c + text)
  ),
)


@harness.fuzz(4)
@hypothesis.given(
  st.lists(_cells, min_size=1, max_size=4, unique=True).flatmap(
    lambda header: st.tuples(
      st.just(header),
      st.lists(
        st.lists(_cells, min_size=len(header), max_size=len(header)),
        max_size=4,
      ),
    )
  )
)
def test_no_cell_is_a_formula(table) -> None:
  header, rows = table
  text = manifest.csv_text(header, rows)
  for row in csv.reader(io.StringIO(text, newline='')):
    _check_harmless(row)
  assert manifest.parse_csv(text) == [dict(zip(header, row)) for row in rows]
  harness.count('CSV written', 'accepted')


@hypothesis.given(
  st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers()),
    min_size=1,
  )
)
def test_numbers_stay_numbers(numbers: list[float]) -> None:
  texts = [repr(number) for number in numbers]
  for row in (numbers, texts):
    written = manifest.csv_text(['x'] * len(row), [row])
    _, found = csv.reader(io.StringIO(written))
    assert found == texts


@harness.fuzz(0.3)
@hypothesis.given(names=st.lists(_names, min_size=2, max_size=2, unique=True))
def test_no_cell_of_a_report_is_a_formula(made, names) -> None:
  for table in tables.every(_of_names(made[1], tuple(names))):
    for row in csv.reader(io.StringIO(table.csv(), newline='')):
      _check_harmless(row)
  harness.count('tables', 'accepted')
