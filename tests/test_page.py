"""What every page holds: addresses, a policy, files, checklists, its origin."""

import ast
import csv
import io
import json
import pathlib
import re
import urllib.parse
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib.figure import Figure
import numpy as np
from PIL import Image
import pytest

from heterojax.report import blocks
from heterojax.report import drawing
from heterojax.report import embedding
from heterojax.report.blocks import Column
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.run import run_folder
from heterojax.studies.pages import checklists
from heterojax.studies.pages import common

_TRIPOD = re.findall(
  r'\w+',
  '1 2 3a 3b 3c 4 5a 5b 6a 6b 6c 7 8a 8b 8c 9a 9b 9c 10 11 12a 12b 12c 12d 12e'
  ' 12f 12g 13 14 15 16 17 18a 18b 18c 18d 18e 18f 19 20a 20b 20c 21 22 23a 23b'
  ' 24 25 26 27a 27b 27c',
)
_CLAIM = [str(i) for i in range(1, 45)]


def test_every_page_writes_percent_alike() -> None:
  """As 5%: in all texts of the program but its docstrings."""
  package = pathlib.Path(blocks.__file__).parents[1]
  files = [*package.rglob('*.py')]
  assert len(files) > 300
  for file in files:
    tree = ast.parse(file.read_text())
    documented = {
      id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
    }
    for node in ast.walk(tree):
      if isinstance(node, ast.JoinedStr):
        text = ast.unparse(node)
      elif isinstance(node, ast.Constant) and id(node) not in documented:
        text = node.value if isinstance(node.value, str) else ''
      else:
        continue
      assert not re.search(r'[\d}] %(?!\w)', text), f'{file.name}: {text}'


@pytest.fixture(scope='module', name='drawn')
def _drawn() -> dict[str, bytes]:
  with drawing.style():
    figure = Figure((2, 1))
    axes = figure.subplots()
    axes.plot([0, 1], [1, 0])
    axes.set_title('50% "of" <all> & #1')
    return drawing.files({'it': figure})


def _elements(svg: bytes) -> list[tuple[str, dict[str, str]]]:
  """Every element that is drawn."""
  root = ElementTree.fromstring(svg)
  unseen = {id(e) for m in root.iter() if 'metadata' in m.tag for e in m.iter()}
  return [
    (e.tag, {k: ' '.join(v.split()) for k, v in e.attrib.items()})
    for e in root.iter()
    if id(e) not in unseen
  ]


def test_a_drawing_keeps_all_that_is_seen(drawn) -> None:
  address = embedding.drawing(drawn['it.svg'])
  kind, _, text = address.partition(',')
  assert kind == 'data:image/svg+xml'
  assert not set('<>"&\n#') & set(text)  # An attribute and a URL end there.
  again = urllib.parse.unquote(text).encode()
  assert _elements(again) == _elements(drawn['it.svg'])
  assert len(address) < 1.1 * len(drawn['it.svg'])


def test_a_picture_of_few_colours_looks_alike() -> None:
  with drawing.style():
    figure = Figure()
    figure.subplots().imshow(np.add.outer(np.arange(40), np.arange(40)))
    small, plain = drawing.encoded(figure, 'png'), io.BytesIO()
    figure.savefig(plain, dpi=150)
  assert len(small) < len(plain.getvalue())
  one, other = (
    np.asarray(Image.open(io.BytesIO(content)).convert('RGB'), int)
    for content in (small, plain.getvalue())
  )
  assert len(np.unique(one.reshape(-1, 3), axis=0)) <= 256
  assert np.abs(one - other).mean() < 2  # Of 255.


def test_any_table_can_be_taken_out() -> None:
  columns: list[Column[tuple[str, float]]] = [
    Column('name', lambda row: row[0], Markup('A<br>name')),
    Column(
      '',
      lambda row: None,
      'Share',
      lambda row: blocks.with_small(f'{row[1]:.1f}', '0.1–0.9'),
    ),
    Column('share', lambda row: row[1]),
  ]
  rows = [('a & "b", c', 1 / 3), ('<i>', 0.5)]

  def taken(name: str) -> list[list[str]]:
    address = embedding.table(Table(name, columns, rows).file())
    text = urllib.parse.unquote(address.partition(',')[2])
    return list(csv.reader(io.StringIO(text)))

  # One with a file is that file, another is what the page shows.
  assert taken('shares') == [
    ['name', 'share'],
    ['a & "b", c', str(1 / 3)],
    ['<i>', '0.5'],
  ]
  assert taken('') == [
    ['A; name', 'Share'],
    ['a & "b", c', '0.3 0.1–0.9'],
    ['<i>', '0.5 0.1–0.9'],
  ]


def test_rows_that_cannot_stand_alone_are_not_sorted() -> None:
  def sortable(*names: str) -> bool:
    column: Column[str] = Column('', lambda row: row, 'Name')
    return Table('', [column], names).sortable

  assert sortable('a', 'b', 'c')
  assert not sortable('a', '', 'c') and not sortable('a', 'b')


def test_links_lead_to_sections() -> None:
  page = blocks.Page('T', 'Q', (), [Section('Ä b: <c>', []), Section('D', [])])
  text = blocks.html(page, {})
  targets = re.findall('href="#([^"]*)"', text)
  assert len(set(targets)) == 2
  assert targets == re.findall('<h2 id="([^"]*)"', text)


def test_a_name_turns_no_number_around() -> None:
  """After U+202E a browser shows 12 as 21, to the end of the paragraph."""
  name = 'a\u202eb\u2067\x1b\x9b'
  column: Column[str] = Column('', lambda row: row, name)
  parts = [blocks.Paragraph(f'{name}: 12'), Table(name, [column], [name])]
  page = blocks.Page(name, name, ((name, name),), [Section(name, parts)], name)
  text = blocks.html(page, {})
  assert {c for c in text if not c.isprintable()} <= {*'\n\xa0'}
  assert 'a\ufffdb\ufffd\ufffd\ufffd: 12' in text


def _expanded(text: str, every: list[str]) -> set[str]:
  """The items of '1 to 3a, 5 and 7'."""
  found = set()
  for part in re.split(', | and ', text):
    first, _, last = part.partition(' to ')
    start = next(i for i, item in enumerate(every) if item.startswith(first))
    ends = [i for i, item in enumerate(every) if _is(item, last or first)]
    found |= set(every[start : max(ends) + 1])
  return found


def _is(item: str, named: str) -> bool:
  return item == named or item.rstrip('abcdefg') == named


@pytest.mark.parametrize(
  ('guideline', 'every'), [('TRIPOD+AI', _TRIPOD), ('CLAIM', _CLAIM)]
)
def test_every_item_of_a_guideline_is_named_once(guideline, every) -> None:
  _, table, others = checklists.section([]).blocks
  ours = [row[1] for row in table.rows if row[0] == guideline]
  named = re.search(rf'{re.escape(guideline)} ([^;.]*)', others.text)
  yours = _expanded(named[1], every)
  assert sorted([*ours, *yours]) == sorted(every)


def test_items_lead_to_what_they_ask_for() -> None:
  parts = [
    Section('Data', [], asked=checklists.DATA),
    Section('Limits', [], 'end', asked=checklists.LIMITS),
  ]
  _, table, _ = checklists.section(parts).blocks
  here = {(row[0], row[1]): row[3] for row in table.rows}
  assert here['CLAIM', '40'] == '<a href="#end">Limits</a>'
  assert here['TRIPOD+AI', '12a'] == '<a href="#data">Data</a>'
  assert not here['CLAIM', '33']
  # No section asks for an item that does not exist.
  for name, value in vars(checklists).items():
    if name.isupper() and not name.startswith('_'):
      for guideline, items in value.items():
        assert {(guideline, item) for item in items} <= here.keys()


def test_a_page_says_when_and_how_it_was_made(tmp_path: pathlib.Path) -> None:
  described = {'heterojax': '9.8'}
  assert common.made(tmp_path, 3, described) == 'heterojax 9.8, seed 3'
  run_folder.begin(tmp_path, {}, described, 'heterojax run <a>', '')
  begun = json.loads((tmp_path / 'begun.json').read_text())
  date = begun['date'][:16].replace('T', ' ')
  for damaged in ('', '[1]', '{"date": 1}'):
    (tmp_path / 'begun.json').write_text(damaged)
    assert common.made(tmp_path, 3, described) == 'heterojax 9.8, seed 3'
  (tmp_path / 'begun.json').write_text(json.dumps(begun))
  told = common.made(tmp_path, 3, described)
  assert told == (
    f'Begun {date} UTC with heterojax 9.8, seed 3:'
    ' <code>heterojax run &lt;a&gt;</code>'
  )
  # What resumes it does not begin it.
  run_folder.begin(tmp_path, {}, described, 'another', '')
  assert common.made(tmp_path, 3, described) == told
  # What nobody can read any more says nothing, and is written anew.
  for damage in '', '[]', '{"date": 1, "command": ""}', '[' * 100_000:
    (tmp_path / 'begun.json').write_text(damage)
    assert common.made(tmp_path, 3, described) == 'heterojax 9.8, seed 3'
    run_folder.begin(tmp_path, {}, described, 'third', '')
    assert 'third' in common.made(tmp_path, 3, described)
