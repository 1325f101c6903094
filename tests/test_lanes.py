"""The lanes: who is fast, what a case costs, what a run must have used."""

from collections.abc import Callable
import importlib.util
import pathlib

import lanes
import pytest

_CASES = """
import time

import pytest

def use(seconds):
  end = time.process_time() + seconds
  while time.process_time() < end:
    pass

@pytest.fixture(scope='module')
def shared():
  use(0.2)

@pytest.fixture
def own():
  use(0.2)

@pytest.mark.parametrize('i', range(6))
def test_shares(shared, i):
  pass

def test_sets_up(own):
  pass

def test_computes():
  use(0.2)

@pytest.mark.slow
def test_says_so():
  use(0.2)

@pytest.mark.medium
def test_other():
  pass
"""

_WORKER = """
import lanes

def pytest_configure(config):
  if hasattr(config, 'workerinput'):
    config.pluginmanager.register(lanes.Check())
"""

# Every worker imports every file, so heterojax comes later.
_CALLS = """
def test_of_a_module():
  from heterojax import rng
  rng.generator(0, next(iter(rng.Purpose)))
"""


@pytest.fixture
def run(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, lanes.Check]]:
  """Runs the cases above where 0.12 CPU-seconds are the most, with noise."""
  (tmp_path / 'conftest.py').write_text(_WORKER)
  (tmp_path / 'test_made_up.py').write_text(_CASES)
  settings = tmp_path / 'pytest.ini'
  settings.write_text(f"""[pytest]
pythonpath = {pathlib.Path(__file__).parent}
markers =
  slow:
  medium:
  fast:
""")
  monkeypatch.setattr(lanes, 'MOST_SECONDS', 0.03)
  monkeypatch.delenv('PYTEST_ADDOPTS', raising=False)
  # Plugins that happen to be installed cost a second in every process.
  monkeypatch.setenv('PYTEST_DISABLE_PLUGIN_AUTOLOAD', '1')

  def run(*options: str) -> tuple[int, lanes.Check]:
    check = lanes.Check()
    command = ['-q', f'-c={settings}', '-p', 'no:cacheprovider', *options]
    command += ['--import-mode=importlib', str(tmp_path)]
    return pytest.main(command, plugins=[check]), check

  return run


def test_what_costs_more_must_be_marked(run) -> None:
  code, check = run()
  assert code == pytest.ExitCode.TESTS_FAILED
  costly = [line for line in check.mistakes if 'without `slow`' in line]
  # Six cases share a fixture; one case has its own, and one is marked.
  assert len(costly) == 2
  assert all(' CPU-seconds' in line for line in costly)
  assert costly[0].endswith('test_sets_up')
  assert costly[1].endswith('test_computes')


def test_who_does_not_run_has_a_part_of_what_is_shared(run) -> None:
  _, check = run('-k', 'shares and 0')
  assert not any('without `slow`' in line for line in check.mistakes)


def test_the_share_of_cases_counts(run) -> None:
  _, most = run('-k', 'shares')
  _, few = run('-k', 'other or says_so')
  assert '2 cases are less than 60%' in few.mistakes
  assert not any('less than' in line for line in most.mistakes)


def test_unused_modules_are_named(run) -> None:
  _, check = run('-k', 'other')
  assert 'nothing of heterojax/rng.py was called' in check.mistakes


def test_a_called_function_is_a_used_module(
  tmp_path: pathlib.Path, run
) -> None:
  (tmp_path / 'test_calls.py').write_text(_CALLS)
  _, check = run('-k', 'of_a_module')
  unused = [line for line in check.mistakes if line.startswith('nothing of')]
  assert unused and not any('/rng.py' in line for line in unused)


@pytest.mark.medium
def test_workers_are_judged_together(tmp_path: pathlib.Path, run) -> None:
  """Two that have a file each: all cases count once, all calls together."""
  (tmp_path / 'test_calls.py').write_text(_CALLS)
  workers = ('-p', 'xdist', '-n', '2', '--dist', 'loadfile')
  code, check = run(*workers, '-k', 'of_a_module or computes or other')
  assert code == pytest.ExitCode.TESTS_FAILED
  assert '3 cases are less than 60%' in check.mistakes
  (costly,) = [line for line in check.mistakes if line.endswith('computes')]
  assert ' CPU-seconds without `slow`' in costly
  unused = [line for line in check.mistakes if line.startswith('nothing of')]
  assert unused and not any('/rng.py' in line for line in unused)


def test_modules_with_functions() -> None:
  found = {pathlib.Path(file).name for file in lanes.modules_with_functions()}
  assert 'rng.py' in found and 'version.py' not in found
  # It is a class of ONNX Runtime's, which is an extra.
  there = importlib.util.find_spec('onnxruntime') is not None
  assert ('onnx_session.py' in found) == there


def test_every_case_is_in_one_lane(request: pytest.FixtureRequest) -> None:
  for item in request.session.items:
    if item.path.parent == pathlib.Path(__file__).parent:
      marks = [item.get_closest_marker(n) for n in ('fast', 'medium', 'slow')]
      assert sum(mark is not None for mark in marks) == 1, item.nodeid
