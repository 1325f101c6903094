"""Runs tests against small changes of the code, and says which they missed.

PYTHONPATH=tests python -m mutation.table [--seconds=60] [--seed=0] [MODULE ...]

Seconds are those of each module, after which no new change begins; they are
taken in an order drawn by the seed. The table goes into `docs/proofs.md`; with
--json it is printed.
"""

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
  'datasets/leaks.py': ('effective_dimension', 'leaks'),
  'datasets/selection.py': ('selection',),
  'datasets/augmentation.py': ('augmentation',),
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
      tried, survivors = found[path]
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
    from mutation import mutants
    from mutation import session

    package = pathlib.Path(heterojax.__file__).parent
    found = mutants.of(package, path)
    random.Random(seed).shuffle(found)
    forks = session.Forks(package, found, seconds)
    files = [str(_TESTS / f'test_{name}.py') for name in MODULES[path]]
    options = '-q', '-p', 'no:cacheprovider', '-o', 'addopts='
    code = pytest.main([*options, '-m', 'not slow', *files], plugins=[forks])
    survivors = sorted(forks.survivors)
    out.write_text(json.dumps([forks.tried, survivors]))
  finally:
    os._exit(int(code))


def _text(found: dict[str, Any]) -> str:
  rows = [(path, n, n - len(lost)) for path, (n, lost) in found.items()]
  rows.append(('all', sum(r[1] for r in rows), sum(r[2] for r in rows)))
  listed = markdown.table(
    ('survivor', 'change'),
    (
      (f'{path}:{line}', f'`{what}`')
      for _, lost in found.values()
      for path, line, what, _ in lost
    ),
  )
  return f'{markdown.table(("module", "changes", "seen"), rows)}\n{listed}'


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
