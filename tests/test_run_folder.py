"""The run folder: one owner, one configuration, whole files only."""

from collections.abc import Callable, Iterator
import contextlib
import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

import pytest

from heterojax.errors import Interrupted
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.run import atomic
from heterojax.run import contents
from heterojax.run import interruption
from heterojax.run import logs
from heterojax.run import outputs
from heterojax.run import run_folder

_CONFIG = {'seed': 0, 'data': {'dir': '/x', 'sizes': [1, 2]}, 'empty': {}}

_HOLD = """
import json, pathlib, sys, time
from heterojax.run import run_folder
config = json.loads(sys.argv[2])
with run_folder.opened(pathlib.Path(sys.argv[1]), config, {}) as folder:
  if sys.argv[3] == 'begin':
    run_folder.begin(folder, config, {}, 'run', '')
  print('holding', flush=True)
  time.sleep(600)
"""

# A limit on the size of files stands for a full disk: the write fails half way.
_FULL_DISK = """
import pathlib, resource, sys
from heterojax.run import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
  first, second = map(pathlib.Path, sys.argv[1:])
  atomic.write_together({first: 'new', second: 'new' * 1000})
except OSError as error:
  print(type(error).__name__, error.filename)
"""

_EACH_WRITER = """
import logging, os, pathlib, resource
import numpy as np
from heterojax.api import files
from heterojax.datasets import made_up
from heterojax.datasets import sources
from heterojax.datasets.inspections import Found
from heterojax.datasets.inspections import Inspections
from heterojax.run import run_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
here, image = pathlib.Path(), np.arange(900, dtype=np.uint8).reshape(30, 30)

def inspected():
  look = sources.Inspection('x' * 1000)
  with Inspections(here) as found:
    found.keep(sources.Files(here), 'a', 'window', Found(look, '0', True))

def logged():
  with run_folder.opened(here / 'run', {}, {}):
    logging.getLogger('heterojax').warning('x' * 1000)
    raise OSError(0, '', 'what it was ended by')

for write in (
  inspected,
  logged,
  lambda: made_up.write(here / 'made', '', ['b.png'], lambda i: image),
  lambda: files.images([image], {}).write(here / 'table'),
  lambda: files.encoded([('c', b'x' * 1000)], {}).write(here / 'table'),
):
  try:
    write()
  except (OSError, ValueError) as error:
    print(getattr(error, 'filename', error))
"""

_AS_ANOTHER_USER = """
import os, pathlib, sys
from heterojax import errors
from heterojax.run import run_folder
os.chdir(sys.argv[1])
if os.geteuid() == 0:
  os.seteuid(65534)
for name in ('closed', 'closed/run'):
  try:
    with run_folder.opened(pathlib.Path(name), {}, {}):
      print('opened')
  except errors.UserError as error:
    print(error)
"""


@contextlib.contextmanager
def _held(path: pathlib.Path, how: str) -> Iterator[subprocess.Popen]:
  """Another process owns the folder."""
  process = subprocess.Popen(
    [sys.executable, '-c', _HOLD, str(path), json.dumps(_CONFIG), how],
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    assert process.stdout.readline() == 'holding\n'
    yield process
  finally:
    process.kill()
    process.wait()
    process.stdout.close()


def _names(path: pathlib.Path) -> set[str]:
  return {p.name for p in path.iterdir()}


def _begun(path: pathlib.Path, config: dict[str, Any] = _CONFIG) -> None:
  with run_folder.opened(path, config, {}) as folder:
    run_folder.begin(folder, config, {}, 'run', '')


def test_writes_text_and_bytes_into_new_folders(
  tmp_path: pathlib.Path,
) -> None:
  path = tmp_path / 'a' / 'b.txt'
  atomic.write(path, 'é\n')
  assert path.read_bytes() == b'\xc3\xa9\n'
  atomic.write(path, b'\0')
  assert path.read_bytes() == b'\0'
  assert _names(path.parent) == {'b.txt'}


@pytest.mark.medium
def test_a_full_disk_leaves_the_old_files(tmp_path: pathlib.Path) -> None:
  first, second = tmp_path / 'a.txt', tmp_path / 'b.txt'
  for path in first, second:
    path.write_text('old')
  done = subprocess.run(
    [sys.executable, '-c', _FULL_DISK, str(first), str(second)],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout == f'OSError {second}\n'
  assert first.read_text() == second.read_text() == 'old'
  assert _names(tmp_path) == {'a.txt', 'b.txt'}


@pytest.mark.parametrize('step', ['fsync', 'replace'])
@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_an_interruption_at_any_step_leaves_the_old_file(
  tmp_path: pathlib.Path,
  monkeypatch: pytest.MonkeyPatch,
  step: str,
  error: type[BaseException],
) -> None:
  path = tmp_path / 'a.txt'
  path.write_text('old')

  def fail(*unused) -> None:
    raise error

  monkeypatch.setattr(os, step, fail)
  with pytest.raises(error):
    atomic.write(path, 'new')
  assert path.read_text() == 'old'
  assert _names(tmp_path) == {'a.txt'}


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no such rights')
@pytest.mark.parametrize('mask', [0o002, 0o022, 0o027, 0o077])
def test_files_are_as_open_to_others_as_any(
  tmp_path: pathlib.Path, mask: int
) -> None:
  """Labels and names of patients are not shown to more than umask says."""
  before = os.umask(mask)
  try:
    atomic.write(tmp_path / 'a', 'new')
    (tmp_path / 'b').touch()
  finally:
    os.umask(before)
  assert (tmp_path / 'a').stat().st_mode == (tmp_path / 'b').stat().st_mode


@pytest.mark.medium
def test_whoever_writes_names_the_file_of_a_full_disk(
  tmp_path: pathlib.Path,
) -> None:
  """But for the log, which loses its lines and hides nothing."""
  done = subprocess.run(
    [sys.executable, '-c', _EACH_WRITER],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stdout.splitlines() == [
    contents.INSPECTED,
    'what it was ended by',
    'made/images/b.png',
    '0.png',
    'c',
  ], done.stderr


def test_json_refuses_nan() -> None:
  with pytest.raises(ValueError):
    run_folder.to_json({'a': float('nan')})


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
  first = run_folder.digest({'a': 1, 'b': [1, {'c': 2, 'd': 3}]})
  assert first == run_folder.digest({'b': [1, {'d': 3, 'c': 2}], 'a': 1})
  assert first != run_folder.digest({'a': 1, 'b': [{'c': 2, 'd': 3}, 1]})


@pytest.mark.medium
def test_another_process_cannot_open_it(tmp_path: pathlib.Path) -> None:
  run = tmp_path / 'run'
  with _held(run, 'begin') as process:
    before = _names(run)
    with pytest.raises(RefusedError, match='is in use by another run'):
      with run_folder.opened(run, _CONFIG, {}):
        pytest.fail('two owners')
    assert _names(run) == before
    # The lock goes with the process, however it ends.
    process.send_signal(signal.SIGKILL)
    process.wait()
    with run_folder.opened(run, _CONFIG, {}) as folder:
      assert folder == run


@pytest.mark.medium
def test_a_second_opener_takes_nothing_from_a_run_that_has_not_begun(
  tmp_path: pathlib.Path,
) -> None:
  run = tmp_path / 'run'
  with _held(run, 'wait') as process:
    for _ in range(2):
      with pytest.raises(RefusedError, match='is in use'):
        with run_folder.opened(run, _CONFIG, {}):
          pytest.fail('two owners')
    assert process.poll() is None
    assert _names(run) == {'.lock', 'log.txt'}


def test_the_same_configuration_resumes(tmp_path: pathlib.Path) -> None:
  _begun(tmp_path / 'run')
  with run_folder.opened(tmp_path / 'run', dict(reversed(_CONFIG.items())), {}):
    pass
  assert json.loads((tmp_path / 'run/config.json').read_text()) == _CONFIG


@pytest.mark.parametrize(
  ('changed', 'field'),
  [
    ({'seed': 1}, 'seed'),
    ({'data': {'dir': '/y', 'sizes': [1, 2]}}, 'data.dir'),
    ({'data': {'dir': '/x', 'sizes': [1, 3]}}, 'data.sizes'),
    ({'data': {'dir': '/x'}}, 'data.sizes'),
    ({'data': {'dir': '/x', 'sizes': [1, 2], 'new': 1}}, 'data.new'),
    ({'data': None}, 'data'),
    ({'empty': {'a': 1}}, 'empty'),
    ({'empty': None}, 'empty'),
    ({'more': {}}, 'more'),
  ],
)
def test_another_configuration_is_refused(
  tmp_path: pathlib.Path, changed: dict[str, Any], field: str
) -> None:
  _begun(tmp_path / 'run')
  before = {p: p.read_bytes() for p in (tmp_path / 'run').iterdir()}
  with pytest.raises(RefusedError) as caught:
    with run_folder.opened(tmp_path / 'run', _CONFIG | changed, {}):
      pytest.fail('opened')
  assert f'({field}' in str(caught.value)
  assert 'differs' in str(caught.value) and str(tmp_path) in str(caught.value)
  assert {p: p.read_bytes() for p in (tmp_path / 'run').iterdir()} == before
  with run_folder.opened(tmp_path / 'run', _CONFIG, {}):
    pass


@pytest.mark.parametrize(
  'text', ['', '{"seed": ', '[1]', '3', 'null', '\xff', '[' * 100_000]
)
def test_a_damaged_configuration_is_refused(
  tmp_path: pathlib.Path, text: str
) -> None:
  (tmp_path / 'config.json').write_bytes(text.encode('latin-1'))
  with pytest.raises(RefusedError, match='config.json cannot be read'):
    with run_folder.opened(tmp_path, _CONFIG, {}):
      pytest.fail('opened')
  assert (tmp_path / 'config.json').exists()


@pytest.mark.parametrize('error', [None, UserError('no'), KeyboardInterrupt()])
def test_nothing_is_left_where_nothing_was_begun(
  tmp_path: pathlib.Path, error: BaseException | None
) -> None:
  run = tmp_path / 'run'
  with contextlib.suppress(UserError, KeyboardInterrupt):
    with run_folder.opened(run, _CONFIG, {}):
      logging.getLogger('heterojax').warning('a line')
      if error:
        raise error
  assert not run.exists()


def test_an_empty_folder_of_the_user_stays(tmp_path: pathlib.Path) -> None:
  with run_folder.opened(tmp_path, _CONFIG, {}):
    pass
  assert tmp_path.is_dir() and not _names(tmp_path)


def test_files_of_the_user_stay(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'notes.txt').write_text('mine')
  (tmp_path / 'log.txt').write_text('mine, too\n')
  with run_folder.opened(tmp_path, _CONFIG, {}):
    pass
  assert _names(tmp_path) == {'notes.txt', 'log.txt'}
  assert (tmp_path / 'log.txt').read_text().startswith('mine, too\n')


def test_a_name_in_a_line_forges_no_other_and_steers_no_terminal(
  tmp_path: pathlib.Path, capfd
) -> None:
  logs.to_stderr()
  with run_folder.opened(tmp_path / 'run', _CONFIG, {}) as folder:
    run_folder.begin(folder, _CONFIG, {}, 'run', '')
    name = 'a\x1b[2Jb\nforged\r.png'
    logging.getLogger('heterojax').warning('%s is left out', name)
  shown = r'a\x1b[2Jb forged .png is left out'
  assert capfd.readouterr().err == f'{shown}\n'
  (line,) = (folder / 'log.txt').read_text('utf-8').splitlines()
  assert line.endswith(f' {shown}')


@pytest.mark.parametrize(
  'name',
  ['manifest.csv', 'environment.json', 'tables/a.csv'],
)
def test_nothing_of_the_user_is_written_over(
  tmp_path: pathlib.Path, name: str
) -> None:
  """As where the folder of the data is that of the run, too."""
  path = tmp_path / name
  path.parent.mkdir(exist_ok=True)
  path.write_text('mine')
  with pytest.raises(RefusedError, match=f'holds {name.split("/a")[0]}, but'):
    with run_folder.opened(tmp_path, _CONFIG, {}) as folder:
      run_folder.begin(folder, _CONFIG, {}, 'run', '')
  assert path.read_text() == 'mine'
  assert _names(tmp_path) == {name.split('/')[0]}


@pytest.mark.parametrize(
  'name',
  [
    'inspected.jsonl',
    'cohort/cohort.csv',
    'cohort/images/0000.png',
    'features/blocks.jsonl',
    'features/features.npy',
    'features/shards/mine.txt',
  ],
)
def test_nothing_that_was_there_before_the_first_start_is_taken_for_its_own(
  tmp_path: pathlib.Path, name: str
) -> None:
  path = tmp_path / name
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('mine')
  top = name.split('/')[0]
  for start in (
    lambda: run_folder.opened(tmp_path, _CONFIG, {}),
    lambda: run_folder.shared(tmp_path, {}, 'workdir'),
  ) * 2:
    with pytest.raises(RefusedError, match=f'holds {top}, but no run'):
      with start():
        pytest.fail('opened')
  assert path.read_text() == 'mine' and _names(tmp_path) == {top}


@pytest.mark.parametrize('name', ['', 'cohort/cohort.csv', 'features/a.npy'])
def test_a_lock_of_another_program_is_none_of_ours(
  tmp_path: pathlib.Path, name: str
) -> None:
  """It neither goes away nor makes what is beside it a run's."""
  for path in (tmp_path / '.lock', tmp_path / (name or 'notes.txt')):
    path.parent.mkdir(exist_ok=True)
    path.write_text('mine')
  before = _names(tmp_path)
  for start in (
    lambda: run_folder.opened(tmp_path, _CONFIG, {}),
    lambda: run_folder.shared(tmp_path, {}, 'workdir'),
    lambda: run_folder.locked(tmp_path, 'folder', 'out'),
  ):
    with pytest.raises(UserError, match='.lock is not empty'), start():
      pytest.fail('opened')
  assert (tmp_path / '.lock').read_text() == 'mine'
  assert _names(tmp_path) == before


def test_an_empty_lock_of_the_user_stays(tmp_path: pathlib.Path) -> None:
  (tmp_path / '.lock').touch()
  with run_folder.opened(tmp_path, _CONFIG, {}):
    pass
  assert _names(tmp_path) == {'.lock'}


def test_a_start_that_was_a_mistake_knows_again_what_it_left(
  tmp_path: pathlib.Path,
) -> None:
  with contextlib.suppress(UserError):
    with run_folder.opened(tmp_path, _CONFIG, {}) as folder:
      (folder / 'cohort').mkdir()
      raise UserError('no')
  _begun(tmp_path)
  assert (tmp_path / 'config.json').exists()


def test_what_a_killed_start_left_is_gone_on_with(
  tmp_path: pathlib.Path,
) -> None:
  (tmp_path / '.lock').touch()
  for name in ('inspected.jsonl', 'begun.json', 'environment.json'):
    (tmp_path / name).write_text('{}')
  for name in ('input/1', 'cohort/images', 'features/shards'):
    (tmp_path / name).mkdir(parents=True)
  _begun(tmp_path)
  assert (tmp_path / 'config.json').exists()


def test_what_a_flag_names_is_written_over_nothing_that_is_needed(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  _begun(tmp_path / 'run')
  (tmp_path / 'data.csv').touch()
  (tmp_path / 'link.csv').symlink_to('data.csv')
  (tmp_path / 'run/tables').mkdir()
  (tmp_path / 'links').symlink_to('run/tables')
  monkeypatch.chdir(tmp_path / 'run')
  read = ['../data.csv', 'gs://bucket/x', '']
  for path, why in (
    ('results.json', 'is of the run in'),
    ('artifacts.json', 'is of the run in'),
    ('.lock', 'is of the run in'),
    ('log.txt', 'is of the run in'),
    (f'{tmp_path}/run/tables/images.csv', 'is of the run in'),
    (f'{tmp_path}/links/images.csv', 'is of the run in'),
    ('../data.csv', 'is read, too'),
    (f'{tmp_path}/link.csv', 'is read, too'),
    ('.', 'is a folder'),
    ('/', 'is a folder'),
    ('..', 'is a folder'),
  ):
    with pytest.raises(UserError, match=f'--out is {path}, which {why}'):
      outputs.file(path, 'out', read)
  for path in (
    'tables',
    '../links',
    'features/shards/new',
    'checkpoints/../cohort/../input',
  ):
    with pytest.raises(
      UserError, match=f'--workdir is {path}, which is of the'
    ):
      outputs.local(path, 'workdir')
  for path in 'comparison/new', 'tables/../new', '.', '../other/tables':
    assert outputs.local(path, 'workdir') == pathlib.Path(path)
  for path in (
    'export/images.csv',
    'junit.xml',
    '../new.csv',
    '../results.json',
  ):
    assert outputs.file(path, 'out', read) == pathlib.Path(path)


def test_the_folder_of_a_run_gets_nothing_that_its_run_did_not_write(
  tmp_path: pathlib.Path,
) -> None:
  _begun(tmp_path / 'run')
  (tmp_path / 'link').symlink_to('run')
  for path in (tmp_path / 'run', tmp_path / 'link'):
    with pytest.raises(
      UserError, match=f'--out is {path}, the folder of a run'
    ):
      outputs.write(str(path), 'out', {'comparison.csv': 'ours'})
  assert not (tmp_path / 'run/comparison.csv').exists()
  outputs.write(f'{tmp_path}/run/comparison', 'out', {'comparison.csv': 'ours'})


def test_names_that_nobody_gave_are_written_over_nothing_of_others(
  tmp_path: pathlib.Path,
) -> None:
  where = tmp_path / 'out'

  def write(*names: str) -> None:
    paths = outputs.write(str(where), 'out', dict.fromkeys(names, 'ours'))
    assert paths == tuple(where / name for name in names)
    assert {path.read_text() for path in paths} == {'ours'}

  where.mkdir()
  (where / 'labels.json').write_text('alone')
  write('data.json', 'labels.json')
  (where / 'mine.png').touch()  # Beside which they may stand.
  (where / 'a.csv').write_text('mine')
  write('data.json', 'labels.json')
  with pytest.raises(UserError, match='holds a.csv beside other files'):
    write('data.json', 'a.csv')
  assert (where / 'a.csv').read_text() == 'mine'
  (where / 'a.csv').unlink()
  write('a.csv', 'b.csv')
  write('data.json', 'a.csv')
  for damaged in '', '[]', '{"written": [["a.csv"], 1]}':
    (where / '.heterojax.json').write_text(damaged)
    with pytest.raises(UserError, match='holds a.csv beside other files'):
      write('a.csv')


def test_what_is_taken_away_in_the_end_holds_nothing_of_others(
  tmp_path: pathlib.Path,
) -> None:
  parts = tmp_path / '.x.npz.parts'
  assert outputs.unfinished(tmp_path / 'x.npz') == parts
  for name in ('features', 'cohort'):
    (parts / name).mkdir(parents=True)
  for name in ('.lock', 'inspected.jsonl'):
    (parts / name).touch()
  assert outputs.unfinished(tmp_path / 'x.npz') == parts
  (parts / 'mine').touch()
  with pytest.raises(RefusedError, match='.x.npz.parts holds mine, but'):
    outputs.unfinished(tmp_path / 'x.npz')


def test_log_lines_go_into_the_folder_while_it_is_open(
  tmp_path: pathlib.Path,
) -> None:
  log = logging.getLogger('heterojax.somewhere')
  _begun(tmp_path / 'run')
  with run_folder.opened(tmp_path / 'run', _CONFIG, {}):
    log.warning('inside 眼')
  log.warning('outside')
  text = (tmp_path / 'run/log.txt').read_text(encoding='utf-8')
  assert 'inside 眼' in text and 'outside' not in text


@pytest.mark.parametrize('name', ['file', 'file/run', 'loop', 'x' * 300])
def test_what_cannot_be_a_folder(tmp_path: pathlib.Path, name: str) -> None:
  (tmp_path / 'file').write_text('mine')
  (tmp_path / 'loop').symlink_to('loop')
  with pytest.raises(UserError) as caught:
    with run_folder.opened(tmp_path / name, _CONFIG, {}):
      pytest.fail('opened')
  assert 'cannot be the run folder' in str(caught.value)
  assert '--workdir' in str(caught.value)
  assert (tmp_path / 'file').read_text() == 'mine'


def test_a_name_that_is_no_text(tmp_path: pathlib.Path) -> None:
  """As of a disk that an older system wrote; also of a folder above it."""
  path = tmp_path / os.fsdecode(b'M\xfcller') / 'run'
  with pytest.raises(UserError, match='letters that are not in UTF-8'):
    with run_folder.opened(path, _CONFIG, {}):
      pass
  assert not any(tmp_path.iterdir())


@pytest.mark.medium
def test_a_folder_that_may_not_be_written(tmp_path: pathlib.Path) -> None:
  tmp_path.chmod(0o755)
  (tmp_path / 'closed').mkdir(mode=0o555)
  done = subprocess.run(
    [sys.executable, '-c', _AS_ANOTHER_USER, str(tmp_path)],
    capture_output=True,
    text=True,
    check=False,
  )
  if 'seteuid' in done.stderr:
    pytest.skip('this process may not become another user')
  lines = done.stdout.splitlines()
  assert len(lines) == 2, done.stderr
  assert all('(Permission denied)' in line for line in lines)


def test_what_was_inspected_outlives_a_signal_and_no_mistake(
  tmp_path: pathlib.Path,
) -> None:
  """A mistake leaves nothing behind; what was stopped goes on from there."""
  run = tmp_path / 'run'

  def fail(stop: Callable[[], None]) -> None:
    with run_folder.opened(run, _CONFIG, {}) as folder:
      (folder / contents.INSPECTED).write_text('')
      stop()

  def signalled() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    interruption.check()

  def mistaken() -> None:
    raise UserError('No.')

  with pytest.raises(UserError):
    fail(mistaken)
  assert not run.exists()
  with interruption.handled(), pytest.raises(Interrupted):
    fail(signalled)
  assert _names(run) == {contents.INSPECTED, contents.LOCK}
  with pytest.raises(UserError):
    fail(mistaken)
  assert _names(run) == {contents.INSPECTED, contents.LOCK}


def test_results_of_other_data_are_kept(tmp_path: pathlib.Path) -> None:
  """Before there are results, data may change; what began stays told."""
  here = {'heterojax': '1'}
  with run_folder.opened(tmp_path, _CONFIG, here) as folder:
    run_folder.begin(folder, _CONFIG, here, 'run', 'a')
    first = run_folder.begun(folder)
    run_folder.check_data(folder, 'b')
    run_folder.begin(folder, _CONFIG, here, 'again', 'b')
    assert run_folder.begun(folder) == {**first, 'data': 'b'}
    (folder / 'results.json').touch()
    run_folder.check_data(folder, 'b')
    with pytest.raises(RefusedError, match='holds the results of other data'):
      run_folder.check_data(folder, 'a')
    # A run of a release that did not keep it.
    before = {'date': first['date'], 'command': 'run'}
    (folder / 'begun.json').write_text(json.dumps(before))
    run_folder.check_data(folder, 'a')
