"""The canary sings here, and falls silent where sums are wrong."""

import importlib.metadata
import os
import subprocess
import sys

import jax
import pytest

from heterojax.compute import arithmetic

# The fusion that is wrong, as a user could switch it on again.
_BROKEN = (
  '--xla_cpu_experimental_ynn_fusion_type='
  'dot,eltwise,reduce,individual_dot,individual_convolution'
)
_WRONG = ('0.10.2', '0.11.2')
needs_the_flag = pytest.mark.skipif(
  importlib.metadata.version('jaxlib') not in _WRONG
  or jax.default_backend() != 'cpu',
  reason=f'only jaxlib {" and ".join(_WRONG)} on CPU need the flag',
)


def _python(code: str, flags: str) -> subprocess.CompletedProcess:
  environment = dict(os.environ, XLA_FLAGS=flags)
  return subprocess.run(
    [sys.executable, '-c', code],
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )


def test_this_installation_is_right() -> None:
  assert arithmetic.canary_error() < 1e-5
  arithmetic.start()


@pytest.mark.medium
@needs_the_flag
def test_canary_fails_without_the_flag() -> None:
  code = (
    'import jax; jax.devices()\n'  # Too late for the flag from here on.
    'import warnings\n'
    'with warnings.catch_warnings(record=True) as seen:\n'
    '  warnings.simplefilter("always")\n'
    '  from heterojax.compute import arithmetic\n'
    'print(len([w for w in seen if "import it first" in str(w.message)]))\n'
    'print(arithmetic.canary_error())\n'
    'arithmetic.start()\n'
  )
  done = _python(code, '')
  warned, error = done.stdout.split()
  assert warned == '1'
  # What is wrong differs from run to run: 0.95, 3e13 and NaN were seen.
  assert not float(error) <= 0.1
  assert 'computes wrong sums' in done.stderr


@pytest.mark.slow
@needs_the_flag
def test_the_program_refuses_with_exit_code_4(tmp_path) -> None:
  workdir = tmp_path / 'run'
  done = subprocess.run(
    [
      sys.executable,
      '-m',
      'heterojax.launch.study',
      '--config=demo:tiny',
      f'--workdir={workdir}',
    ],
    env=dict(os.environ, XLA_FLAGS=_BROKEN),
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 4
  assert done.stderr.count('\n') == 2  # And what it reads.
  assert 'computes wrong sums' in done.stderr
  assert not workdir.exists()


@pytest.mark.slow
def test_a_users_own_value_stays_and_others_are_kept() -> None:
  code = 'import os, heterojax; print(os.environ["XLA_FLAGS"])'
  assert _python(code, _BROKEN).stdout.strip() == _BROKEN
  appended = _python(code, '--xla_cpu_enable_fast_math=false').stdout
  assert appended.startswith('--xla_cpu_enable_fast_math=false --xla_cpu_exp')


@pytest.mark.slow
def test_importing_touches_no_device() -> None:
  code = (
    'import heterojax, heterojax.studies.retraining.study, jax\n'
    'print(jax._src.xla_bridge.backends_are_initialized())\n'
  )
  assert _python(code, '').stdout.strip() == 'False'
