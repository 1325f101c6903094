"""A link in a run folder costs its target nothing, and a pipe no time."""

from collections.abc import Iterator
import os
import pathlib
import re
import shutil
import signal
import stat
import sys

import pytest
from toy_study import TOY
from toy_study.configuration import CONFIG

from heterojax.errors import UserError
from heterojax.launch import report
from heterojax.launch import study
from heterojax.run import atomic
from heterojax.run import links
from heterojax.run import run_folder
from heterojax.studies import registry

_UNFINISHED = re.compile(r'.*\.\w{16}$')  # Names that nobody can foresee.
_VICTIM = b'a thesis' * 1000


class _Writes:
  """Paths that are opened for writing, made, or what is renamed becomes."""

  def __init__(self):
    self.paths: set[str] | None = None
    sys.addaudithook(self._hook)

  def _hook(self, event: str, args: tuple) -> None:
    if self.paths is None:
      return
    if event == 'open' and isinstance(args[0], (str, os.PathLike)):
      if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        self.paths.add(os.fspath(args[0]))
    elif event in ('os.mkdir', 'os.rename'):
      self.paths.add(os.fspath(args[event == 'os.rename']))


@pytest.fixture(name='launch', scope='module')
def _launch(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
  path = tmp_path_factory.mktemp('config') / 'toy.py'
  path.write_text(CONFIG)
  words = ['study.py', f'--config={path}']
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(registry.STUDIES, TOY.name, TOY)
    yield lambda folder: study.main([*words, f'--workdir={folder}'])


@pytest.fixture(name='finished', scope='module')
def _finished(
  launch, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pathlib.Path, list[str]]:
  """A run, and the paths in it that it wrote to."""
  folder, writes = tmp_path_factory.mktemp('runs') / 'toy', _Writes()
  writes.paths = set()
  try:
    assert launch(folder) == 0
  finally:
    written, writes.paths = writes.paths, None
  # Orbax' own code writes some files, which no hook sees.
  written |= {str(path) for path in folder.rglob('*')}
  names = {os.path.relpath(path, folder) for path in written}
  return folder, sorted(
    name
    for name in names
    if not name.startswith('..') and name != '.' and not _UNFINISHED.match(name)
  )


def _plant(path: pathlib.Path, target: pathlib.Path, folder: bool) -> None:
  """Puts a link to a file, or to a folder with all that is in the real one."""
  path.parent.mkdir(parents=True, exist_ok=True)
  if folder:
    target.mkdir()
    (target / 'features.npy').write_bytes(_VICTIM)
  else:
    target.write_bytes(_VICTIM)
  path.symlink_to(target)


def _is_whole(target: pathlib.Path) -> bool:
  if target.is_file():
    return target.read_bytes() == _VICTIM
  (only,) = target.iterdir()
  return only.read_bytes() == _VICTIM


@pytest.mark.medium
def test_a_link_at_any_path_is_refused(
  finished: tuple[pathlib.Path, list[str]], tmp_path: pathlib.Path
) -> None:
  done, names = finished
  assert {'.lock', 'log.txt', 'features/features.npy', 'config.json'} < {*names}
  assert len(names) > 20
  for i, name in enumerate(names):
    folder, target = tmp_path / f'run{i}', tmp_path / f'target{i}'
    _plant(folder / name, target, (done / name).is_dir())
    with pytest.raises(UserError, match='is a link, and') as caught:
      with run_folder.opened(folder, {}, {}):
        pass
    assert str(folder / name) in str(caught.value)
    assert _is_whole(target) and (folder / name).is_symlink()


@pytest.mark.slow
def test_no_command_writes_through_a_link(
  launch,
  finished: tuple[pathlib.Path, list[str]],
  tmp_path: pathlib.Path,
  capfd,
) -> None:
  done, names = finished
  for i, name in enumerate(names):
    folder, target = tmp_path / f'run{i}', tmp_path / f'target{i}'
    _plant(folder / name, target, (done / name).is_dir())
    assert launch(folder) == 2
    assert 'is a link, and' in capfd.readouterr().err
    assert _is_whole(target)


@pytest.fixture(name='in_time')
def _in_time() -> Iterator[None]:
  """What waits for a pipe fails instead of waiting for ever."""

  def fail(*_: object) -> None:
    raise TimeoutError('it waits for ever')

  before = signal.signal(signal.SIGALRM, fail)
  signal.alarm(60)
  yield
  signal.alarm(0)
  signal.signal(signal.SIGALRM, before)


def _device(path: pathlib.Path) -> None:
  try:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))  # /dev/null.
  except PermissionError:
    pytest.skip('only root makes devices')


_KINDS = {'pipe': os.mkfifo, 'device': _device}
_NO_FILE = 'is a pipe or a device, and'


@pytest.mark.medium
@pytest.mark.parametrize('kind', _KINDS)
def test_no_file_at_any_path_is_refused_at_once(
  finished: tuple[pathlib.Path, list[str]],
  tmp_path: pathlib.Path,
  kind: str,
  in_time: None,
) -> None:
  for i, name in enumerate(finished[1]):
    folder = tmp_path / f'run{i}'
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    _KINDS[kind](folder / name)
    with pytest.raises(UserError, match=f'{_NO_FILE}.*delete it'):
      with run_folder.opened(folder, {}, {}):
        pass
    with pytest.raises(UserError, match=_NO_FILE):
      atomic.write(folder / name, 'text')
    assert not (folder / name).is_file()


@pytest.mark.medium
def test_another_name_of_a_file_at_any_path_is_refused(
  finished: tuple[pathlib.Path, list[str]], tmp_path: pathlib.Path
) -> None:
  done, names = finished
  for i, name in enumerate(n for n in names if (done / n).is_file()):
    folder, target = tmp_path / f'run{i}', tmp_path / f'target{i}'
    target.write_bytes(_VICTIM)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).hardlink_to(target)
    with pytest.raises(UserError, match='is a hard link, and'):
      with run_folder.opened(folder, {}, {}):
        pass
    assert target.read_bytes() == _VICTIM


@pytest.mark.medium
@pytest.mark.parametrize('name', ['.lock', 'log.txt', 'features/features.npy'])
def test_commands_name_what_is_no_file(
  launch, tmp_path: pathlib.Path, name: str, in_time: None, capfd
) -> None:
  path = tmp_path / 'run' / name
  path.parent.mkdir(parents=True)
  os.mkfifo(path)
  assert launch(tmp_path / 'run') == 2
  (line,) = capfd.readouterr().err.splitlines()[-1:]
  assert line.endswith(
    f'{path} {_NO_FILE} a run writes to files: delete it,'
    ' or choose another folder.'
  )
  path.unlink()
  (tmp_path / 'target').write_bytes(_VICTIM)
  path.hardlink_to(tmp_path / 'target')
  assert launch(tmp_path / 'run') == 2
  assert 'is a hard link, and' in capfd.readouterr().err
  assert (tmp_path / 'target').read_bytes() == _VICTIM


def test_several_processes_share_no_pipe(
  tmp_path: pathlib.Path, in_time: None
) -> None:
  os.mkfifo(tmp_path / '.lock')
  with pytest.raises(UserError, match=_NO_FILE):
    with run_folder.shared(tmp_path, {}, 'workdir'):
      pass


@pytest.mark.medium
@pytest.mark.parametrize('name', ['figures', 'report.html', '.lock'])
def test_no_report_is_drawn_through_a_link(
  finished: tuple[pathlib.Path, list[str]],
  tmp_path: pathlib.Path,
  name: str,
  capfd,
) -> None:
  folder = shutil.copytree(finished[0], tmp_path / 'run')
  if (folder / name).is_file():
    (folder / name).unlink()
  _plant(folder / name, tmp_path / 'target', name == 'figures')
  assert report.main(['report.py', f'--workdir={folder}']) == 2
  assert 'is a link, and' in capfd.readouterr().err
  assert _is_whole(tmp_path / 'target')


@pytest.mark.medium
def test_the_folder_itself_may_be_a_link(
  launch, tmp_path: pathlib.Path
) -> None:
  (tmp_path / 'disk').mkdir()
  (tmp_path / 'run').symlink_to('disk')
  assert launch(tmp_path / 'run') == 0
  assert (tmp_path / 'disk' / 'report.html').is_file()


def test_links_that_no_run_writes_to_stay(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'notes').symlink_to('/')
  links.refuse(tmp_path)


def test_a_plain_file_is_opened_as_ever(tmp_path: pathlib.Path) -> None:
  for mode, text in (('w', 'é'), ('a', 'éa')):
    with links.opened(tmp_path / 'file', mode, encoding='utf-8') as file:
      file.write(text[-1])
    assert (tmp_path / 'file').read_text(encoding='utf-8') == text
  with pytest.raises(FileNotFoundError):
    links.opened(tmp_path / 'none', 'r')
  (tmp_path / 'link').symlink_to('file')
  with pytest.raises(UserError, match='link is a link'):
    links.opened(tmp_path / 'link', 'w')


def test_what_is_emptied_is_looked_at_before(
  tmp_path: pathlib.Path, in_time: None
) -> None:
  (tmp_path / 'target').write_bytes(_VICTIM)
  (tmp_path / 'name').hardlink_to(tmp_path / 'target')
  os.mkfifo(tmp_path / 'pipe')
  for name, what in (('name', 'a hard link'), ('pipe', 'a pipe')):
    for mode in 'wb', 'ab', 'r+b':
      with pytest.raises(UserError, match=f'is {what}'):
        links.opened(tmp_path / name, mode)
  assert (tmp_path / 'target').read_bytes() == _VICTIM
  (tmp_path / 'name').unlink()
  with links.opened(tmp_path / 'target', 'wb'):
    pass
  assert (tmp_path / 'target').read_bytes() == b''
