"""The recipes of ARCHITECTURE.md run, and the map is that of the packages."""

from collections.abc import Iterator
import configparser
import pathlib
import re

import pytest

from heterojax import backbones
from heterojax import datasets
from heterojax import version
from heterojax.stats import metrics
from heterojax.studies import registry

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = (ROOT / 'ARCHITECTURE.md').read_text()
RECIPES = dict(
  re.findall(r'^## (An? [^\n]*)\n.*?^```python\n(.*?)^```', TEXT, re.M | re.S)
)

_TABLES = (
  backbones.ARCHITECTURES,
  datasets.READERS,
  metrics.METRICS,
  registry.STUDIES,
)


def test_there_is_a_recipe_for_each() -> None:
  assert list(RECIPES) == [
    'A metric',
    'A backbone',
    'A data set',
    'A study',
    'A cluster algorithm',
  ]
  assert all('assert ' in code for code in RECIPES.values())


@pytest.fixture(name='tables')
def _tables() -> Iterator[None]:
  """What a recipe adds is gone afterwards."""
  before = [(table, dict(table)) for table in _TABLES]
  yield
  for table, entries in before:
    table.clear()
    table.update(entries)


@pytest.mark.usefixtures('tables')
@pytest.mark.parametrize('name', RECIPES)
def test_a_recipe_runs(name: str) -> None:
  code = compile(RECIPES[name], f'ARCHITECTURE.md, {name}', 'exec')
  exec(code, {'__name__': 'recipe'})  # pylint: disable=exec-used


def _floors() -> dict[str, int]:
  """Package to its row in the map, from the top."""
  rows = re.findall(r'^\| (`[^|]*) \|', TEXT, re.M)
  return {
    name: i
    for i, row in enumerate(rows)
    for name in re.findall(r'`(\w+)`', row)
  }


def _imports(path: pathlib.Path) -> set[str]:
  """Packages of ours that a module imports."""
  names = re.findall(
    r'^ *from (heterojax(?:\.\w+)*) import (\w+)', path.read_text(), re.M
  )
  return {f'{a}.{b}'.split('.')[1] for a, b in names}


def test_imports_lead_down() -> None:
  floors, found = _floors(), []
  for path in (ROOT / 'heterojax').rglob('*.py'):
    own = path.relative_to(ROOT / 'heterojax').parts[0].removesuffix('.py')
    if own not in floors:
      continue
    found += [
      f'{path.relative_to(ROOT)} imports {name}'
      for name in _imports(path)
      if floors.get(name, 99) < floors[own]
    ]
  assert found == []


def test_studies_know_nothing_of_each_other() -> None:
  studies = ROOT / 'heterojax' / 'studies'
  for name in registry.STUDIES:
    for path in (studies / name).rglob('*.py'):
      text = path.read_text()
      for other in registry.STUDIES.keys() - {name}:
        assert f'studies.{other}' not in text, path


def test_the_map_names_every_package() -> None:
  folders = {p.parent for p in (ROOT / 'heterojax').glob('*/__init__.py')}
  names = {p.name for p in folders}
  names |= {p.stem for p in (ROOT / 'heterojax').glob('*.py')}
  assert names - _floors().keys() == {'__init__', 'version'}


def test_every_package_is_in_the_wheel() -> None:
  config = configparser.ConfigParser()
  config.read(ROOT / 'setup.cfg')
  listed = config['options']['packages'].split()
  found = {'heterojax.configs', 'heterojax.launch'}
  for path in (ROOT / 'heterojax').rglob('__init__.py'):
    found.add('.'.join(path.parent.relative_to(ROOT).parts))
  assert listed == sorted(found)


def test_every_file_that_is_no_module_is_in_the_wheel() -> None:
  config = configparser.ConfigParser()
  config.read(ROOT / 'setup.cfg')
  patterns = config['options.package_data']
  for path in (ROOT / 'heterojax').rglob('*'):
    if path.is_dir() or path.suffix in ('.py', '.pyc'):
      continue
    package = '.'.join(path.parent.relative_to(ROOT).parts)
    assert any(path.match(p) for p in patterns[package].split()), path


def test_the_version_to_cite_is_that_of_the_package() -> None:
  cited = re.search(
    r'^version: (.*)$', (ROOT / 'CITATION.cff').read_text(), re.M
  )
  assert cited and cited[1] == version.__version__
  assert f'## {version.__version__}\n' in (ROOT / 'CHANGELOG.md').read_text()
