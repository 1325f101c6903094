"""The canary sings here, and falls silent where sums are wrong."""

import importlib.metadata
import importlib.util
import os
import pathlib
import subprocess
import sys

import jax
import pytest

from heterojax.compute import arithmetic
from heterojax.compute import platform
from heterojax.compute import variables
from heterojax.errors import RefusedError
from heterojax.run import environment

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


def test_a_tpu_needs_the_cores_of_its_host(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  def missing(backend: str) -> None:
    raise RuntimeError(f'Unknown backend {backend}')

  monkeypatch.setattr(jax, 'local_devices', missing)
  with (
    platform.use('tpu'),
    pytest.raises(RefusedError, match='JAX_PLATFORMS=tpu,cpu'),
  ):
    arithmetic.start()


_GPU_FLAG = '--xla_gpu_exclude_nondeterministic_ops'


@pytest.mark.parametrize(
  'plugin, asked, given, want',
  [
    (True, '', '', f'{_GPU_FLAG}=true'),
    (True, 'cuda,cpu', '', f'{_GPU_FLAG}=true'),
    (True, 'cpu', '', ''),
    (False, '', '', ''),
    (True, '', f'{_GPU_FLAG}=false', f'{_GPU_FLAG}=false'),
  ],
)
def test_gpus_give_the_same_bits_each_time(
  plugin: bool,
  asked: str,
  given: str,
  want: str,
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  found = importlib.util.find_spec('jax') if plugin else None
  monkeypatch.setattr(variables.importlib.util, 'find_spec', lambda _: found)
  monkeypatch.delitem(sys.modules, 'jax._src.xla_bridge')
  monkeypatch.setenv('JAX_PLATFORMS', asked)
  monkeypatch.setenv('XLA_FLAGS', given)
  variables.append_xla_flags()
  flags = os.environ['XLA_FLAGS'].split()
  assert [f for f in flags if f.startswith(_GPU_FLAG)] == want.split()
  assert any(f.startswith(variables.FUSION_FLAG) for f in flags)


@pytest.mark.slow
def test_xla_knows_the_flag() -> None:
  """It ends the process for one that it does not know."""
  code = 'import jax; print(jax.numpy.ones(2).sum())'
  assert _python(code, f'{_GPU_FLAG}=true').stdout.strip() == '2.0'


def test_the_driver_of_a_gpu(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  here = environment.describe()
  assert not {'driver', 'cudnn'} & here.keys()
  file = tmp_path / 'version'
  file.write_text(
    'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15'
    '  Release Build\nGCC version:  gcc version 12.2.0\n'
  )
  monkeypatch.setattr(environment, '_DRIVER', file)
  assert environment._of_gpu('gpu')['driver'] == '570.86.15'
  file.write_text(
    'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.1  Tue\n'
  )
  assert environment._of_gpu('gpu')['driver'] == '535.1'
  assert environment._of_gpu('cpu') == {}
