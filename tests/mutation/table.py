"""Runs tests against small changes of the code, and says which they missed.

PYTHONPATH=tests python -m mutation.table [--seconds=600] [--seed=0] [MODULE ..]

Every change is made in a fork of a process that has imported everything, where
the default lane's cases of that module then run until one fails. After the
seconds no new one begins; they are taken in an order drawn by the seed. The
table goes into `docs/proofs.md`; with --json it is printed.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import resource
import signal
import sys
import tempfile
import time

import proofs

_TESTS = pathlib.Path(__file__).resolve().parent.parent
# Which modules, and the files of tests that are about them.
MODULES = {
  'cluster/matching.py': ('matching',),
  'cluster/distances.py': ('distances',),
  'cluster/lloyd.py': ('kmeans',),
  'cluster/kmeans.py': ('kmeans',),
  'cluster/pca.py': ('pca',),
  'cluster/fuzzy.py': ('fuzzy',),
  'cluster/mixture.py': ('mixture',),
  'cluster/validity.py': ('validity',),
  'cluster/scale.py': ('scale',),
  'heads/order.py': ('order',),
  'heads/head.py': ('head',),
  'heads/epochs.py': ('head', 'ensemble'),
  'heads/logistic.py': ('logistic',),
  'heads/newton.py': ('logistic', 'optimum'),
  'stats/metrics.py': ('metrics',),
  'stats/scores.py': ('metrics', 'sixth_metric'),
  'stats/inference.py': ('statistics', 'metrics'),
  'stats/heterogeneity.py': ('heterogeneity',),
  'verdict/chance.py': ('verdict_chance',),
  'verdict/ranks.py': ('verdict_one_rule', 'verdict_published'),
  'datasets/splits.py': ('splits',),
  'datasets/leaks.py': ('leaks',),
  'datasets/selection.py': ('selection',),
  'datasets/augmentation.py': ('augmentation',),
}
_NOWHERE, _BROKEN = 97, 98
_CPU_SECONDS = 120  # Of one change: it may make a loop without an end.


def main(words: list[str]) -> int:
  """Returns 0 whatever survives: the table says it."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--seconds', type=float, default=600)
  parser.add_argument('--seed', type=int, default=0)
  parser.add_argument('--json', action='store_true')
  parser.add_argument('modules', nargs='*')
  given = parser.parse_args(words)
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  with tempfile.TemporaryDirectory(prefix='mutation_') as name:
    # JAX reads it as it is imported; what did not change is compiled once.
    os.environ['JAX_COMPILATION_CACHE_DIR'] = name
    os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
    tried, survivors = _try_all(
      given.modules or [*MODULES], given.seconds, given.seed
    )
  if given.json:
    print(json.dumps([dict(tried), survivors]))
  else:
    proofs.write('mutants', _text(tried, survivors))
  return 0


def _try_all(
  modules: list[str], seconds: float, seed: int
) -> tuple[collections.Counter[str], list]:
  # pylint: disable=import-outside-toplevel
  import importlib

  import hypothesis
  import pytest
  import sklearn.cluster
  import sklearn.mixture

  import heterojax
  from heterojax.compute import variables
  from mutation import mutants

  del hypothesis, pytest, sklearn
  variables.import_jax()
  package = pathlib.Path(heterojax.__file__).parent
  found = []
  for path in modules:
    importlib.import_module(f'heterojax.{path[:-3].replace("/", ".")}')
    if code := _tests_of(path, lambda: 1):
      raise RuntimeError(f'without a change the tests of {path} give {code}')
    found += mutants.of(package, path)
  random.Random(seed).shuffle(found)
  end = time.monotonic() + seconds
  tried: collections.Counter[str] = collections.Counter()
  survivors = []
  for mutant in found:
    if time.monotonic() > end:
      break
    code = _tests_of(mutant.path, lambda m=mutant: mutants.put(package, m))
    if code == _NOWHERE:  # No function of this process has that line.
      continue
    tried[mutant.path] += 1
    if not code:
      survivors.append(mutant)
      print(*mutant[:3], 'survives', file=sys.stderr, flush=True)
  for path in modules:
    tried[path] += 0
  return tried, sorted(survivors)


def _tests_of(path: str, change) -> int:
  """Exit code of a module's tests in a fork; 0 if they pass."""
  pid = os.fork()
  if not pid:
    code = _BROKEN
    try:
      resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
      signal.alarm(20 * _CPU_SECONDS)
      nowhere = os.open(os.devnull, os.O_RDWR)
      for stream in 1, 2:
        os.dup2(nowhere, stream)
      os.chdir(_TESTS.parent)
      code = _run_tests(path) if change() else _NOWHERE
    finally:
      os._exit(code)
  _, status = os.waitpid(pid, 0)
  code = os.waitstatus_to_exitcode(status)
  if code == _BROKEN:
    raise RuntimeError(f'the tests of {path} could not be run')
  return code


def _run_tests(path: str) -> int:
  import pytest  # pylint: disable=import-outside-toplevel

  files = [str(_TESTS / f'test_{name}.py') for name in MODULES[path]]
  options = '-x', '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist'
  return int(
    pytest.main([*options, '-o', 'addopts=', '-m', 'not slow', *files])
  )


def _text(tried: collections.Counter[str], survivors: list) -> str:
  lost = collections.Counter(mutant[0] for mutant in survivors)
  whole, all_lost = sum(tried.values()), len(survivors)
  rows = [
    (path, number, number - lost[path])
    for path, number in sorted(tried.items())
  ]
  rows.append(('all', whole, whole - all_lost))
  listed = proofs.table(
    ('survivor', 'change'),
    ((f'{path}:{line}', f'`{what}`') for path, line, what, *_ in survivors),
  )
  counted = proofs.table(('module', 'changes', 'seen'), rows)
  return f'{counted}\n{listed}'


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
