"""What the environment asks for ends a command with a sentence, if at all."""

import contextlib
import io
import os
import pathlib
import subprocess
import sys
import threading

from absl import flags
import jax
import pytest

from heterojax import cli
from heterojax.compute import arithmetic
from heterojax.compute import variables
from heterojax.errors import RefusedError
from heterojax.errors import UserError
from heterojax.errors import nearest_field
from heterojax.run import interruption
from heterojax.run import outputs


def _python(code: str, **environment: str) -> subprocess.CompletedProcess:
  return subprocess.run(
    [sys.executable, '-c', code],
    env=os.environ | environment,
    capture_output=True,
    text=True,
    check=False,
  )


@pytest.mark.medium
@pytest.mark.parametrize(
  'backend',
  # What Jupyter and Colab set for what they start; and what is nowhere.
  ['module://matplotlib_inline.backend_inline', 'no such backend'],
)
def test_a_backend_of_notebooks_that_is_not_here(backend: str) -> None:
  code = (
    'import os, heterojax\n'
    'from matplotlib.figure import Figure\n'
    'print(os.environ.get("MPLBACKEND", ""))\n'
  )
  done = _python(code, MPLBACKEND=backend)
  assert done.returncode == 0, done.stderr
  # The first one is here where Jupyter is.
  assert done.stdout.strip() in (
    '',
    'module://matplotlib_inline.backend_inline',
  )


def test_a_backend_that_is_here_stays(monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.setenv('MPLBACKEND', 'svg')
  variables.drop_unusable_backend()
  assert os.environ['MPLBACKEND'] == 'svg'


@pytest.mark.medium
def test_a_value_that_jax_cannot_read() -> None:
  code = (
    'import sys\n'
    'from heterojax.launch import study\n'
    'sys.exit(study.main(["study.py", "--config=demo"]))'
  )
  done = _python(code, JAX_ENABLE_X64='perhaps')
  assert done.returncode == 2
  assert done.stderr.splitlines()[-1].startswith(
    'heterojax: JAX cannot be imported (invalid truth value'
  )


_START = """
import sys
from heterojax.compute import arithmetic
from heterojax.errors import RefusedError
try:
  arithmetic.start()
except RefusedError as error:
  print(error)
  sys.exit(error.exit_code)
"""


@pytest.mark.medium
@pytest.mark.parametrize(
  ('name', 'value', 'said'),
  [
    (
      'XLA_FLAGS',
      '--xla_no_such=1',
      'Unknown flag in XLA_FLAGS: --xla_no_such',
    ),
    ('XLA_FLAGS', '--xla_dump_hlo_as_text=perhaps', "Couldn't interpret value"),
    ('JAX_PLATFORMS', 'nothing', "Unable to initialize backend 'nothing'"),
  ],
)
def test_what_jax_does_not_start_with(name: str, value: str, said: str) -> None:
  done = _python(_START, **{name: value})
  (line,) = done.stdout.splitlines()
  assert done.returncode == RefusedError.exit_code
  assert f'{name}={value}' in line and said in line and 'unset' in line


@pytest.mark.medium
def test_nothing_is_imported_from_where_a_user_stands(
  tmp_path: pathlib.Path,
) -> None:
  """Flags are read in another process, which would look there first."""
  module = tmp_path / 'jaxlib' / '__init__.py'
  module.parent.mkdir()
  module.write_text("open('imported', 'w').close()")
  done = subprocess.run(
    [sys.executable, '-P', '-c', _START],
    env=dict(os.environ, XLA_FLAGS='--xla_dump_hlo_as_text=false'),
    cwd=tmp_path,
    check=False,
  )
  assert done.returncode == 0
  assert not (tmp_path / 'imported').exists()


def test_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
  """The error of a platform whose plug-in is not installed has no words."""

  def fail() -> None:
    raise AssertionError

  monkeypatch.setattr(jax, 'devices', fail)
  monkeypatch.setenv('JAX_PLATFORMS', 'cuda')
  with pytest.raises(
    RefusedError, match=r'JAX_PLATFORMS=cuda asks for \(it is'
  ):
    arithmetic.start()


def test_jax_that_had_started(monkeypatch: pytest.MonkeyPatch) -> None:
  monkeypatch.setattr(arithmetic, 'canary_error', lambda: 0.5)
  monkeypatch.setenv('XLA_FLAGS', '')
  with pytest.raises(RefusedError, match='restart the kernel.*heterojax first'):
    arithmetic.start()
  monkeypatch.setattr(arithmetic, 'canary_error', lambda: 1e-6)
  arithmetic.start()


def _print(values: flags.FlagValues) -> int:
  print('caf\u00e9')
  return 0


def test_a_terminal_that_does_not_know_a_letter(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  screen = io.BytesIO()
  monkeypatch.setattr(sys, 'stdout', io.TextIOWrapper(screen, 'ascii'))
  assert cli.run((), _print, ['x.py'], about='', config=False) == 0
  sys.stdout.flush()
  assert screen.getvalue() == b'caf\\xe9\n'


def test_a_thread_may_run_a_command() -> None:
  codes = []

  def run() -> None:
    with interruption.handled(), contextlib.redirect_stdout(io.StringIO()):
      codes.append(cli.run((), _print, ['x.py'], about='', config=False))

  thread = threading.Thread(target=run)
  thread.start()
  thread.join()
  assert codes == [0]


@pytest.mark.parametrize(
  'address', ['gs://bucket/run', 'S3://bucket', 'hdfs://x']
)
def test_an_address_is_no_folder(address: str) -> None:
  with pytest.raises(
    UserError, match=f'--out is {address}, but must be a folder'
  ):
    outputs.local(address, 'out')


def test_other_names_are_folders() -> None:
  for name in ('run', 'a:b', 'C:/runs', './gs:/x'):
    assert outputs.local(name, 'workdir') == pathlib.Path(name)
  assert outputs.local('~/x', 'workdir') == pathlib.Path.home() / 'x'


@pytest.mark.parametrize(
  ('written', 'meant'),
  [
    ('data.dri', 'data.dir'),
    ('data.postive', 'data.positive'),
    ('dta.dir', 'data.dir'),
    ('cluster.K', 'cluster.k'),
    ('positive', 'data.positive'),
    ('data.dir.x', 'data.dir'),
  ],
)
def test_a_mistyped_field_names_the_one_that_was_meant(
  written: str, meant: str, capsys: pytest.CaptureFixture
) -> None:
  words = ['x.py', f'--config.{written}=1', '--config=demo']
  assert cli.run((), _print, words, about='') == 2
  (line,) = capsys.readouterr().err.splitlines()
  assert f'did you mean {meant}?' in line
  assert f'no field {written.rpartition(".")[2]!r}' in line


def test_what_is_like_no_field() -> None:
  assert nearest_field('data.nope', ['data.dir', 'seed']) == ''


def test_a_section_has_no_value(capsys: pytest.CaptureFixture) -> None:
  words = ['x.py', '--config=demo', '--config.data=x']
  assert cli.run((), _print, words, about='') == 2
  assert '--config.data is a section' in capsys.readouterr().err
