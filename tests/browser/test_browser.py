"""Reports in Chromium: on a phone and a screen, light and dark, and on paper.

Needs chromium, node and `npm ci` in this folder; skips with a reason where one
is missing. Pictures are kept where HETEROJAX_BROWSER names a folder.
"""

import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any
import urllib.parse

import pytest
import reports

HERE = pathlib.Path(__file__).parent
NAMES = ('retraining', 'grades', 'sizes', 'ages', 'comparison')
STUDIES = NAMES[:-1]
LOOKS = ('390 light', '390 dark', '1440 light', '1440 dark')


def _chromium() -> str:
  for name in ('chromium', 'chromium-browser', 'google-chrome'):
    if found := shutil.which(name):
      return found
  pytest.skip('there is no chromium: apt-get install chromium')


@pytest.fixture(scope='session', name='folder')
def _folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  if kept := os.environ.get('HETEROJAX_BROWSER'):
    shutil.rmtree(kept, ignore_errors=True)
    pathlib.Path(kept).mkdir(parents=True)
    return pathlib.Path(kept)
  return tmp_path_factory.mktemp('browser')


@pytest.fixture(scope='session', name='found')
def _found(folder: pathlib.Path) -> dict[str, Any]:
  """What `look.mjs` says of every report."""
  chromium, node = _chromium(), shutil.which('node')
  if not node:
    pytest.skip('there is no node: apt-get install nodejs npm')
  if not (HERE / 'node_modules').exists():
    pytest.skip(f'puppeteer and axe are missing: npm ci in {HERE}')
  pages = reports.write(folder)
  subprocess.run(
    [node, str(HERE / 'look.mjs'), chromium, str(folder), *map(str, pages)],
    check=True,
    timeout=900,
  )
  return json.loads((folder / 'found.json').read_text())


@pytest.mark.parametrize('look', LOOKS)
@pytest.mark.parametrize('name', NAMES)
def test_all_can_be_read(found, name: str, look: str) -> None:
  there = found[name]['looks'][look]
  assert there['width'] == int(look.split()[0])
  assert there['cut'] == []
  assert there['axe'] == []


@pytest.mark.parametrize('name', NAMES)
def test_a_screen_shows_whole_tables(found, name: str) -> None:
  assert found[name]['looks']['1440 light']['scrolled'] == []


@pytest.mark.parametrize('name', NAMES)
def test_the_page_is_alone(found, name: str) -> None:
  """Nothing is asked for, and the policy had nothing to forbid."""
  assert found[name]['requests'] == [] and found[name]['said'] == []
  assert found[name]['images'] == []  # None is broken.


@pytest.mark.parametrize('name', NAMES)
def test_paper_cuts_nothing(found, folder: pathlib.Path, name: str) -> None:
  assert found[name]['paper'] == {
    'width': 688,
    'cut': [],
    'folded': 0,  # All is open there.
  }
  content = (folder / f'{name}.pdf').read_bytes()
  assert content.startswith(b'%PDF') and b'/Type /Page' in content


@pytest.mark.parametrize('name', NAMES)
def test_the_keyboard_reaches_the_end_of_a_table(found, name: str) -> None:
  assert found[name]['left'] is not None and found[name]['left'] < 1


@pytest.mark.parametrize('name', NAMES)
def test_tables_are_sorted(found, name: str) -> None:
  """Up, down, and as they were; no row is lost."""
  for table in found[name]['tables']:
    for column, states in enumerate(table['states']):
      up, down, again = states
      assert (up['sort'], down['sort']) == ('ascending', 'descending')
      assert again == {'sort': None, 'rows': table['before']}
      for state in states:
        assert sorted(state['rows']) == sorted(table['before'])
      for state, reverse in ((up, False), (down, True)):
        values = [_number(row[column]) for row in state['rows']]
        if None not in values:
          assert values == sorted(values, reverse=reverse)


def _number(cell: str) -> float | None:
  """A cell that is a plain number; None for any other."""
  text = cell.replace('−', '-').replace(',', '')
  return float(text) if re.fullmatch(r'-?\d+(\.\d+)?', text) else None


@pytest.mark.parametrize('name', STUDIES)
def test_all_can_be_taken_out(found, folder: pathlib.Path, name: str) -> None:
  """Tables are the files of the run; a figure is a picture, twice."""
  taken = found[name]['taken']
  endings = {file.rpartition('.')[2] for file in taken}
  assert endings == {'csv', 'png', 'svg'}
  named = 0
  for file, address in taken.items():
    if not file.endswith('.csv'):
      continue
    text = urllib.parse.unquote(address.partition(',')[2])
    assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1
    if (path := folder / name / 'tables' / file).exists():
      assert text == path.read_text()
      named += 1
  assert named > 2
  # Without a script only the second kind of picture is missing.
  without = set(found[name]['without'])
  assert without == {file for file in taken if not file.endswith('.svg')}


@pytest.mark.parametrize('name', NAMES)
def test_a_page_of_many_images_is_small(
  found, folder: pathlib.Path, name: str
) -> None:
  assert (folder / f'{name}.html').stat().st_size < 5e6
