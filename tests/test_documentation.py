"""What README and docs say to type, and where they point."""

import pathlib
import re
import shlex
import shutil

import numpy as np
import pytest

import heterojax
from launch import main as command

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_PAGES = [*sorted(_ROOT.glob('*.md')), *sorted((_ROOT / 'docs').glob('*.md'))]
_MISSING = re.compile(
  'does not exist|no file|is not there|no run|no finished|There is no RUN'
)
# Words that stand for what a reader has.
_THEIRS = re.compile(r'\b[A-Z][A-Z_]{2,}\b|runs/|DIR/')


def _commands() -> list[str]:
  """Lines of blocks of `sh` that call heterojax."""
  found = []
  for page in _PAGES:
    for block in re.findall(
      r'^```sh\n(.*?)^```', page.read_text(), re.M | re.S
    ):
      for line in block.replace('\\\n', ' ').splitlines():
        for part in re.split(r'&&', line):
          words = shlex.split(part, comments=True)
          if words and words[0].startswith('.venv/bin/') and 'pip' not in part:
            found.append(shlex.join(words))
  return found


def _arguments(line: str) -> list[str]:
  """Of the one command `heterojax`."""
  program, *words = shlex.split(line)
  if program.endswith('heterojax'):
    return words
  if words[:2] == ['-m', 'pytest']:
    return []
  assert words[0] == '-m' and words[1].startswith('launch.'), line
  name = words[1].removeprefix('launch.')
  return ['run' if name == 'study' else name, *words[2:]]


# What a demo says beforehand counts the operations of a network.
@pytest.mark.parametrize(
  'line',
  [
    pytest.param(line, marks=[pytest.mark.slow] if 'demo' in line else [])
    for line in _commands()
  ],
)
def test_what_stands_there_can_be_typed(
  line, tmp_path, monkeypatch, capsys
) -> None:
  """Then all that is wrong with it is that the reader's data are not here."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'configs').symlink_to(_ROOT / 'configs')
  words = _arguments(line)
  if not words:
    return
  if words[0] not in (
    *('verify', 'compare', 'bakeoff', 'export'),
    *('prepare', 'features', 'report'),
  ):
    words.append('--dry_run')
  code = command.main(['heterojax', *words])
  said = capsys.readouterr().err
  assert code == (2 if _THEIRS.search(line) and 'demo' not in line else 0), said
  if code:
    assert _MISSING.search(said), said
  assert [path.name for path in tmp_path.iterdir()] == ['configs']


@pytest.mark.parametrize('page', _PAGES, ids=lambda page: page.name)
def test_pages_point_at_what_is_there(page) -> None:
  for target in re.findall(r'\]\(([^)\s]+)\)', page.read_text()):
    if re.match(r'\w+:', target):
      continue
    path, _, anchor = target.partition('#')
    found = (page.parent / path).resolve() if path else page
    assert found.exists(), target
    if anchor and found.suffix == '.md':
      assert anchor in _anchors(found), target


def _anchors(page: pathlib.Path) -> set[str]:
  """As GitHub makes them of headings."""
  heads = re.findall(r'^#+ (.*)$', page.read_text(), re.M)
  return {
    re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-') for head in heads
  }


@pytest.mark.slow
@pytest.mark.trains
def test_the_lines_of_python_run(tmp_path, monkeypatch) -> None:
  """Those of docs/python.md, one after another, with data of a reader."""
  monkeypatch.chdir(tmp_path)
  rng = np.random.default_rng(0)
  n = 120
  patients, ill = np.arange(n), np.arange(n) % 2 == 0
  said = {
    'heterojax': heterojax,
    'X': rng.normal(size=(n, 8)) + ill[:, None],
    'y': np.where(ill, 'glaucoma', 'normal'),
    'patients': patients,
    'scanner': np.where(rng.random(n) < 0.5, 'A', 'B'),
    'age': rng.integers(20, 80, n),
  }
  first, second = re.findall(
    r'^```python\n(.*?)^```',
    (_ROOT / 'docs' / 'python.md').read_text(),
    re.MULTILINE | re.DOTALL,
  )
  few = "negative='normal', verdict__worlds=9, verdict__partitions=9, "
  exec(first.replace('workdir=', f'{few}workdir='), said)
  shutil.copytree('runs/mine', 'runs/other')
  exec(second, said)
  assert said['study'].verdict_.answer
  assert (tmp_path / 'runs/mine/comparison/comparison.html').exists()
