"""Runs tests against small changes of the code, and says which they missed.

PYTHONPATH=tests python -m mutation.table [--seconds=60] [--seed=0] [MODULE ...]

Seconds are those of each module, after which no new change begins; they are
taken in an order drawn by the seed. The table goes into `docs/proofs.md`; with
--json it is printed.
"""

import ast
import json
import os
import pathlib
import random
import sys
import tempfile
from typing import Any

import proofs

from benchmarks import markdown

_TESTS = pathlib.Path(__file__).resolve().parent.parent
# Which modules, and the files of tests that are about them, beside those that
# import them.
MODULES = {
  'cluster/matching.py': ('trainings',),
  'cluster/distances.py': (),
  'cluster/lloyd.py': (),
  'cluster/kmeans.py': (),
  'cluster/pca.py': (),
  'cluster/fuzzy.py': (),
  'cluster/mixture.py': (),
  'cluster/validity.py': (),
  'cluster/scale.py': (),
  'heads/order.py': (),
  'heads/head.py': (),
  'heads/epochs.py': ('head',),
  'heads/logistic.py': (),
  'heads/newton.py': ('logistic', 'optimum'),
  'stats/metrics.py': (),
  'stats/scores.py': ('sixth_metric',),
  'stats/inference.py': ('heterogeneity',),
  'stats/heterogeneity.py': (),
  'verdict/chance.py': (),
  'verdict/ranks.py': ('verdict_one_rule', 'verdict_published'),
  'datasets/splits.py': (),
  'datasets/leaks.py': (),
  'datasets/selection.py': (),
  'datasets/augmentation.py': (),
}


def main(words: list[str]) -> int:
  """Returns 0 whatever survives: the table says it."""
  given = proofs.arguments(words, 60, 'modules')
  os.chdir(_TESTS.parent)
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  found = {}
  with tempfile.TemporaryDirectory(prefix='mutation_') as name:
    # JAX reads it as it is imported; what did not change is compiled once.
    os.environ['JAX_COMPILATION_CACHE_DIR'] = name
    os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
    _import_all()
    for path in given.modules or MODULES:
      out = pathlib.Path(name, 'found.json')
      pid = os.fork()
      if not pid:
        _of_module(path, given.seconds, given.seed, out)
      os.waitpid(pid, 0)
      found[path] = json.loads(out.read_text())
      tried, survivors, _ = found[path]
      print(path, tried, len(survivors), file=sys.stderr, flush=True)
      out.unlink()
  if given.json:
    print(json.dumps(found))
  else:
    markdown.put(proofs.PAGE, 'mutants', _text(found))
  return 0


def _import_all() -> None:
  # pylint: disable=import-outside-toplevel
  import hypothesis
  import pytest
  import scipy.stats
  import sklearn.cluster

  from heterojax.compute import variables

  del hypothesis, pytest, scipy, sklearn
  variables.import_jax()


def _of_module(path: str, seconds: float, seed: int, out: pathlib.Path) -> None:
  """Ends this process; writes how many changes were tried, and which lived."""
  code = 1
  os.dup2(2, 1)  # What pytest says is no part of the table.
  try:
    # pylint: disable=import-outside-toplevel
    import pytest

    import heterojax
    from mutation import equivalents
    from mutation import mutants
    from mutation import session

    package = pathlib.Path(heterojax.__file__).parent
    found = mutants.of(package, path)
    random.Random(seed).shuffle(found)
    forks = session.Forks(package, found, seconds)
    options = '-q', '-p', 'no:cacheprovider', '-o', 'addopts='
    code = pytest.main(
      [*options, '-m', 'not slow', *files_of(path)], plugins=[forks]
    )
    survivors = [
      [m.path, m.line, m.what]
      for m in sorted(forks.survivors)
      if not equivalents.why(package, m)
    ]
    equal = len(forks.survivors) - len(survivors)
    out.write_text(json.dumps([forks.tried, survivors, equal]))
  finally:
    os._exit(int(code))


def files_of(path: str) -> list[str]:
  """Tests of a module: those that import it, and those named for it."""
  module = f'heterojax.{path[:-3].replace("/", ".")}'
  found = {f'test_{name}.py' for name in MODULES[path]}
  for file in _TESTS.glob('test_*.py'):
    for node in ast.walk(ast.parse(file.read_text())):
      if isinstance(node, ast.ImportFrom) and node.module:
        names = {f'{node.module}.{alias.name}' for alias in node.names}
        if module in {node.module, *names}:
          found.add(file.name)
  return [str(_TESTS / name) for name in sorted(found)]


def _text(found: dict[str, Any]) -> str:
  rows = [
    (path, tried, tried - len(lost) - equal, equal, len(lost))
    for path, (tried, lost, equal) in found.items()
  ]
  rows.append(('all', *(sum(row[i] for row in rows) for i in range(1, 5))))
  listed = markdown.table(
    ('survivor', 'change'),
    (
      (f'{path}:{line}', f'`{what}`')
      for _, lost, _ in found.values()
      for path, line, what in lost
    ),
  )
  head = ('module', 'changes', 'seen', 'equivalent', 'not seen')
  return f'{markdown.table(head, rows)}\n{listed}'


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
