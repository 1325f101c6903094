"""The seal of a run folder: whatever happens to an artifact is named."""

import hashlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest

from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.launch import study
from heterojax.run import artifacts
from heterojax.run import run_folder
from heterojax.run.artifacts import Problem

# What a run of images leaves, at least.
KINDS = (
  'config.json',
  'environment.json',
  'manifest.csv',
  'augmented.csv',
  'clusters.csv',
  'results.json',
  'report.html',
  'tables/*.csv',
  'figures/*.png',
  'figures/*.svg',
  'features/*.npy',
  'features/blocks.jsonl',
  'checkpoints/*.json',
  'checkpoints/heads/digests.json',
  'checkpoints/heads/**/d/*',
  'checkpoints/clusters/digests.json',
  'checkpoints/clusters/**/d/*',
  'cohort/*.csv',
  'cohort/images/*.png',
)


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """A tiny demo study."""
  workdir = tmp_path_factory.mktemp('runs') / 'demo'
  assert (
    study.main(['study.py', '--config=demo:tiny', f'--workdir={workdir}']) == 0
  )
  return workdir


@pytest.fixture
def run(finished: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
  """A copy that a test may damage."""
  return shutil.copytree(finished, tmp_path / 'run')


def small(folder: pathlib.Path) -> pathlib.Path:
  """A made-up run of four artifacts, sealed."""
  for name in ('config.json', 'results.json', 'tables/a.csv', 'features/x/b'):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f'{name}: 0123456789')
  artifacts.seal(folder)
  return folder


def files(folder: pathlib.Path) -> set[pathlib.Path]:
  return {path for path in folder.rglob('*') if path.is_file()}


def flip(path: pathlib.Path, position: int, bits: int = 1) -> None:
  data = bytearray(path.read_bytes())
  data[position] ^= bits
  path.write_bytes(data)


@pytest.mark.medium
def test_a_finished_run_is_whole(finished: pathlib.Path) -> None:
  assert not artifacts.problems(finished)
  sealed = artifacts.read(finished)
  there = {path.relative_to(finished).as_posix() for path in files(finished)}
  assert there - set(sealed) == {'artifacts.json', 'log.txt', '.lock'}
  assert set(sealed) < there
  for name, file in sealed.items():
    data = (finished / name).read_bytes()
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    assert file == {'bytes': len(data), 'blake2b': digest}


@pytest.mark.medium
def test_what_is_read_must_be_as_it_was(tmp_path: pathlib.Path) -> None:
  artifacts.check(tmp_path, 'results.json')  # Of no seal nothing is known.
  for name in 'results.json', 'clusters.csv':
    (tmp_path / name).write_text(name)
  artifacts.seal(tmp_path)
  artifacts.check(tmp_path, 'results.json', 'clusters.csv', 'view.npz')
  (tmp_path / 'clusters.csv').write_text('CLUSTERS.CSV')
  artifacts.check(tmp_path, 'results.json')
  with pytest.raises(UserError, match='clusters.csv is tampered since'):
    artifacts.check(tmp_path, 'results.json', 'clusters.csv')
  (tmp_path / 'results.json').unlink()
  with pytest.raises(UserError, match='results.json is missing since'):
    artifacts.check(tmp_path, 'results.json')
  (tmp_path / artifacts.SEAL).write_text('{}')
  with pytest.raises(UserError, match=f'{artifacts.SEAL} cannot be read'):
    artifacts.check(tmp_path, 'view.npz')


@pytest.mark.parametrize('kind', KINDS)
def test_a_run_has_every_kind_of_artifact(
  finished: pathlib.Path, kind: str
) -> None:
  names = {str(path.relative_to(finished)) for path in finished.glob(kind)}
  assert names & set(artifacts.read(finished))


@pytest.mark.slow
def test_one_flipped_bit_in_any_artifact_is_named(run: pathlib.Path) -> None:
  rng = np.random.default_rng(0)
  for name, file in artifacts.read(run).items():
    path, data = run / name, (run / name).read_bytes()
    if not file['bytes']:  # Of Orbax.
      continue
    for position in {0, rng.integers(len(data)), len(data) - 1}:
      flip(path, position, 1 << rng.integers(8).item())
      assert artifacts.problems(run) == [Problem(name, 'tampered')]
      path.write_bytes(data)
  assert not artifacts.problems(run)


@pytest.mark.slow
def test_any_artifact_truncated_longer_missing_or_linked(
  run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
  for name in artifacts.read(run):
    path, data = run / name, (run / name).read_bytes()
    if data:
      path.write_bytes(data[:-1])
      assert artifacts.problems(run) == [Problem(name, 'truncated')]
    path.write_bytes(data + b'\n')
    assert artifacts.problems(run) == [Problem(name, 'tampered')]
    path.unlink()
    assert artifacts.problems(run) == [Problem(name, 'missing')]
    (tmp_path / 'same').write_bytes(data)
    path.symlink_to(tmp_path / 'same')
    assert artifacts.problems(run) == [Problem(name, 'foreign')]
    path.unlink()
    path.write_bytes(data)
  assert not artifacts.problems(run)


def test_every_bit_of_the_seal_counts(tmp_path: pathlib.Path) -> None:
  run = small(tmp_path / 'run')
  seal = run / artifacts.SEAL
  whole = seal.read_bytes()
  for position in range(len(whole)):
    for bits in (1, 7, 128):
      data = bytearray(whole)
      data[position] ^= bits
      seal.write_bytes(data)
      assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]
  for length in range(0, len(whole), 7):
    seal.write_bytes(whole[:length])
    assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]
  seal.write_bytes(whole)
  assert not artifacts.problems(run)


@pytest.mark.parametrize(
  'name',
  [
    'notes.txt',
    'tables/table9.csv',
    'features/features.npy.part',
    'checkpoints/heads/extra',
    'new/deep/file',
    '.hidden',
    'tables/profile',
    'tables/log.txt',
    b'tables/\xff\xfe.csv',
    'tables/line\nbreak.csv',
  ],
)
def test_a_foreign_file(tmp_path: pathlib.Path, name: str | bytes) -> None:
  run = small(tmp_path / 'run')
  path = run / os.fsdecode(name)
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text('')
  assert artifacts.problems(run) == [Problem(os.fsdecode(name), 'foreign')]


@pytest.mark.parametrize(
  'name', ['log.txt', '.lock', 'profile/a/trace', 'comparison/comparison.csv']
)
def test_what_may_come_later(tmp_path: pathlib.Path, name: str) -> None:
  run = small(tmp_path / 'run')
  (run / name).parent.mkdir(parents=True, exist_ok=True)
  (run / name).write_text('later')
  assert not artifacts.problems(run)
  artifacts.seal(run)
  assert name not in artifacts.read(run)


def test_links_are_not_followed(tmp_path: pathlib.Path) -> None:
  elsewhere = tmp_path / 'elsewhere'
  elsewhere.mkdir()
  (elsewhere / 'a.csv').write_text('tables/a.csv: 0123456789')
  run = small(tmp_path / 'run')
  shutil.rmtree(run / 'tables')
  (run / 'tables').symlink_to(elsewhere)
  (run / 'loop').symlink_to('.')
  (run / 'dangling').symlink_to('nowhere')
  assert artifacts.problems(run) == [
    Problem('dangling', 'foreign'),
    Problem('loop', 'foreign'),
    Problem('tables', 'foreign'),
    Problem('tables/a.csv', 'missing'),
  ]
  artifacts.seal(run)
  assert set(artifacts.read(run)) == {
    'config.json',
    'results.json',
    'features/x/b',
  }


def test_folders_and_pipes_where_files_should_be(
  tmp_path: pathlib.Path,
) -> None:
  run = small(tmp_path / 'run')
  (run / 'results.json').unlink()
  (run / 'results.json').mkdir()
  (run / 'tables' / 'a.csv').unlink()
  os.mkfifo(run / 'tables' / 'a.csv')  # To open it would wait for ever.
  shutil.rmtree(run / 'features')
  (run / 'features').write_text('a file')
  assert artifacts.problems(run) == [
    Problem('features', 'foreign'),
    Problem('features/x/b', 'missing'),
    Problem('results.json', 'missing'),
    Problem('tables/a.csv', 'foreign'),
  ]


@pytest.mark.parametrize('kind', ['missing', 'folder', 'link', 'pipe', 'empty'])
def test_a_seal_that_is_none(tmp_path: pathlib.Path, kind: str) -> None:
  run = small(tmp_path / 'run')
  seal = run / artifacts.SEAL
  seal.rename(tmp_path / 'seal')
  make = {
    'folder': seal.mkdir,
    'link': lambda: seal.symlink_to(tmp_path / 'seal'),
    'pipe': lambda: os.mkfifo(seal),
    'empty': seal.touch,
  }
  make.get(kind, lambda: None)()
  what = 'missing' if kind == 'missing' else 'tampered'
  found = artifacts.problems(run)
  assert found == [Problem(artifacts.SEAL, what)]
  says = 'the run has not finished' if kind == 'missing' else 'tampered: art'
  assert says in str(found[0])


def reseal(run: pathlib.Path, files: object) -> None:
  """A seal that somebody wrote on purpose, with the right digest."""
  # pylint: disable-next=protected-access
  (run / artifacts.SEAL).write_text(artifacts._text(files))


@pytest.mark.parametrize(
  'name',
  [
    '../outside',
    '/etc/passwd',
    'tables/../../outside',
    'tables/./a.csv',
    'tables//a.csv',
    '',
    '.',
    'tables',
    'tables/',
    'log.txt',
    'notes.txt',
    'artifacts.json',
    '..',
  ],
)
def test_a_forged_seal_opens_nothing_elsewhere(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
  (tmp_path / 'outside').write_text('secret')
  run = small(tmp_path / 'run')
  reseal(run, artifacts.read(run) | {name: {'bytes': 6, 'blake2b': 'ab'}})
  opened, os_open = [], os.open
  monkeypatch.setattr(
    os, 'open', lambda path, *a: opened.append(str(path)) or os_open(path, *a)
  )
  assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]
  assert opened == [str(run / artifacts.SEAL)]


@pytest.mark.parametrize(
  'files',
  [
    [],
    None,
    3,
    'x',
    {'config.json': None},
    {'config.json': []},
    {'config.json': {}},
    {'config.json': {'bytes': 1}},
    {'config.json': {'bytes': '1', 'blake2b': 'a'}},
    {'config.json': {'bytes': True, 'blake2b': 'a'}},
    {'config.json': {'bytes': 1, 'blake2b': 'a', 'more': 1}},
  ],
)
def test_a_forged_seal_of_other_types(
  tmp_path: pathlib.Path, files: object
) -> None:
  run = small(tmp_path / 'run')
  reseal(run, files)
  assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]


def test_a_seal_nested_too_deep(tmp_path: pathlib.Path) -> None:
  run = small(tmp_path / 'run')
  for text in ('[' * 100_000, '{"files": ' * 100_000, '9' * 100_000):
    (run / artifacts.SEAL).write_text(text)
    assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]


@pytest.mark.parametrize(
  'seal',
  [
    {'schema_version': 2, 'files': {'a': {'bytes': 1, 'sha256': 'b'}}},
    {'schema_version': 7, 'files': [], 'by': 'heterojax'},
  ],
)
def test_the_seal_of_a_newer_release_is_not_called_damaged(
  tmp_path: pathlib.Path, seal: object
) -> None:
  run = small(tmp_path / 'run')
  (run / artifacts.SEAL).write_text(run_folder.to_json(seal))
  says = 'artifacts.json was written by a newer release of heterojax'
  for look in artifacts.problems, lambda run: artifacts.check(run, 'a'):
    with pytest.raises(UserError, match=says):
      look(run)


@pytest.mark.medium
@hypothesis.given(st.binary(max_size=200))
def test_any_seal_is_read_without_an_error(data: bytes) -> None:
  with tempfile.TemporaryDirectory() as folder:
    run = small(pathlib.Path(folder))
    (run / artifacts.SEAL).write_bytes(data)
    assert artifacts.problems(run) == [Problem(artifacts.SEAL, 'tampered')]


_KILLED = """
import os, pathlib, signal, sys
from heterojax.run import atomic
os.replace = lambda *unused: os.kill(os.getpid(), signal.SIGKILL)
atomic.write(pathlib.Path(sys.argv[1]), 'new')
"""


@pytest.mark.medium
@pytest.mark.parametrize(
  'name', ['results.json', 'tables/a.csv', artifacts.SEAL]
)
def test_what_a_killed_run_began_is_no_artifact(
  tmp_path: pathlib.Path, name: str
) -> None:
  run = small(tmp_path / 'run')
  before = {path: path.read_bytes() for path in files(run)}
  (run / artifacts.SEAL).unlink()
  done = subprocess.run(
    [sys.executable, '-c', _KILLED, str(run / name)], check=False
  )
  assert done.returncode == -signal.SIGKILL
  (left,) = files(run) - set(before)
  assert left.name.startswith(f'.{pathlib.Path(name).name}.')
  artifacts.seal(run)
  assert {path: path.read_bytes() for path in files(run)} == before
  # After the seal nothing is taken away.
  left.touch()
  left = str(left.relative_to(run))
  assert artifacts.problems(run) == [Problem(left, 'foreign')]


@pytest.mark.parametrize(
  'name',
  [
    '.notes.txt.0123456789abcdef',
    'results.json.0123456789abcdef',
    '.results.json.abc',
    '.results.json',
    '.results.json.20261130',
    '.0123456789abcdef',
    '..0123456789abcdef',
    '.results.json.0123456789ABCDEF',
  ],
)
def test_files_of_the_user_are_left_alone(
  tmp_path: pathlib.Path, name: str
) -> None:
  run = small(tmp_path / 'run')
  (run / name).write_text('mine')
  artifacts.seal(run)
  assert (run / name).read_text() == 'mine'
  assert artifacts.problems(run) == [Problem(name, 'foreign')]


_HARM = ('flip', 'truncate', 'lengthen', 'remove', 'add', 'nothing')


@pytest.mark.medium
@hypothesis.given(
  st.dictionaries(
    st.sampled_from(['config.json', 'tables/a', 'features/x/b', 'cohort/c']),
    st.tuples(st.binary(min_size=1, max_size=50), st.sampled_from(_HARM)),
    min_size=1,
  )
)
def test_any_mixture_of_harm_is_told_apart(
  made: dict[str, tuple[bytes, str]],
) -> None:
  with tempfile.TemporaryDirectory() as folder:
    run, expected = pathlib.Path(folder), []
    for name, (data, harm) in made.items():
      (run / name).parent.mkdir(parents=True, exist_ok=True)
      if harm != 'add':
        (run / name).write_bytes(data)
    artifacts.seal(run)
    for name, (data, harm) in made.items():
      path = run / name
      if harm == 'flip':
        flip(path, len(data) // 2, 16)
        expected.append(Problem(name, 'tampered'))
      elif harm == 'truncate':
        path.write_bytes(data[:-1])
        expected.append(Problem(name, 'truncated'))
      elif harm == 'lengthen':
        path.write_bytes(data + b'0')
        expected.append(Problem(name, 'tampered'))
      elif harm == 'remove':
        path.unlink()
        expected.append(Problem(name, 'missing'))
      elif harm == 'add':
        path.write_bytes(data)
        expected.append(Problem(name, 'foreign'))
    assert artifacts.problems(run) == sorted(expected)


_AS_ANOTHER_USER = """
import os, pathlib, sys
from heterojax.run import artifacts
run = pathlib.Path(sys.argv[1])
if os.geteuid() == 0:
  os.seteuid(65534)
for problem in artifacts.problems(run):
  print(problem)
"""


@pytest.mark.medium
def test_what_may_not_be_read_is_named(tmp_path: pathlib.Path) -> None:
  run = small(tmp_path / 'run')
  folder = tmp_path
  while folder.stat().st_uid == os.getuid() and folder != folder.parent:
    folder.chmod(0o755)  # pytest keeps its folders to itself.
    folder = folder.parent
  (run / artifacts.SEAL).chmod(0o644)
  (run / 'results.json').chmod(0)
  (run / 'tables').chmod(0)
  try:
    done = subprocess.run(
      [sys.executable, '-c', _AS_ANOTHER_USER, str(run)],
      capture_output=True,
      text=True,
      check=False,
    )
  finally:
    (run / 'tables').chmod(0o755)
  if 'seteuid' in done.stderr:
    pytest.skip('this process may not become another user')
  assert done.stdout.splitlines() == [
    'unreadable: results.json',
    'unreadable: tables',
  ], done.stderr


_LITTLE_MEMORY = """
import pathlib, resource, sys
from heterojax.run import artifacts
run = pathlib.Path(sys.argv[1])
used = int(pathlib.Path('/proc/self/statm').read_text().split()[0])
limit = used * resource.getpagesize() + 2**26
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
artifacts.seal(run)
print(artifacts.problems(run))
with (run / artifacts.SEAL).open('r+b') as file:
  file.truncate(2**29)
print(artifacts.problems(run)[0].what)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_artifacts(tmp_path: pathlib.Path) -> None:
  run = small(tmp_path / 'run')
  with (run / 'features' / 'large').open('wb') as file:
    file.truncate(2**28)
  done = subprocess.run(
    [sys.executable, '-c', _LITTLE_MEMORY, str(run)],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stdout == '[]\ntampered\n', done.stderr


def test_a_folder_in_use_is_refused(tmp_path: pathlib.Path) -> None:
  run = small(tmp_path / 'run')
  with artifacts.undisturbed(run):  # No run was ever in it.
    assert not (run / '.lock').exists()
  with run_folder.locked(run, 'run folder', 'workdir'):
    with pytest.raises(RefusedError, match='is in use by another run'):
      with artifacts.undisturbed(run):
        pytest.fail('read while it changes')
  # Any number may read it, and none may run in it meanwhile.
  with artifacts.undisturbed(run), artifacts.undisturbed(run):
    with pytest.raises(RefusedError, match='is in use by another run'):
      with run_folder.locked(run, 'run folder', 'workdir'):
        pytest.fail('changed while it is read')
  with run_folder.locked(run, 'run folder', 'workdir'):
    pass


@pytest.mark.parametrize('kind', ['link', 'folder', 'pipe'])
def test_a_lock_that_is_none(tmp_path: pathlib.Path, kind: str) -> None:
  run = small(tmp_path / 'run')
  lock = run / '.lock'
  make = {
    'link': lambda: lock.symlink_to(tmp_path / 'made'),
    'folder': lock.mkdir,
    'pipe': lambda: os.mkfifo(lock),
  }
  make[kind]()
  with artifacts.undisturbed(run):
    assert not artifacts.problems(run)
  assert not (tmp_path / 'made').exists()


def test_what_is_no_run_folder(tmp_path: pathlib.Path) -> None:
  (tmp_path / 'file').touch()
  for path in (tmp_path, tmp_path / 'missing', tmp_path / 'file', 'x' * 9999):
    with pytest.raises(UserError, match='is no run folder: --against must'):
      artifacts.folder_of(str(path), 'against')
  for path in (None, ''):
    with pytest.raises(UserError, match='Say which run it is with --workdir='):
      artifacts.folder_of(path, 'workdir')
  for name in ('config.json', artifacts.SEAL):
    (tmp_path / name).symlink_to('nowhere')
    assert artifacts.folder_of(str(tmp_path), 'workdir') == tmp_path
    (tmp_path / name).unlink()
