"""Runs tests against small changes of the code, and says which they missed.

PYTHONPATH=tests python -m mutation.table [--seconds=60] [--seed=0] [--again]
    [MODULE ...]

Seconds are those of the processor for each module, after which no new change
begins; they are taken in an order drawn by the seed. With --again only those
are tried that survived the last time for no known reason. What is found is kept
in `docs/mutants.json`, where a module's entry replaces its last one, and the
tables in `docs/proofs.md` are made of it, so that several processes may run at
once, each with modules of its own. With --json it is printed instead.
"""

import argparse
import fcntl
import json
import os
import pathlib
import sys
import tempfile
from typing import Any

import proofs

from benchmarks import markdown
from mutation import equivalents
from mutation import mutants

_TESTS = pathlib.Path(__file__).resolve().parent.parent
_PACKAGE = _TESTS.parent / 'heterojax'
FOUND = proofs.PAGE.with_name('mutants.json')
# Modules, and the files of tests that are about them.
MODULES = {
  'cluster/matching.py': ('matching', 'trainings'),
  'cluster/distances.py': ('distances', 'scale'),
  'cluster/lloyd.py': ('kmeans', 'scale'),
  'cluster/kmeans.py': ('kmeans', 'scale', 'partitions'),
  'cluster/pca.py': ('pca', 'scale', 'row_blocks'),
  'cluster/fuzzy.py': ('fuzzy', 'scale'),
  'cluster/mixture.py': ('mixture', 'scale'),
  'cluster/validity.py': ('validity',),
  'cluster/scale.py': ('scale', 'row_blocks'),
  'cluster/spectrum.py': ('spectrum', 'pca'),
  'cluster/effective_dimension.py': ('effective_dimension',),
  'cluster/weights.py': ('weights',),
  'heads/line.py': ('line',),
  'heads/softmax.py': ('softmax',),
  'heads/penalty.py': ('logistic', 'penalty'),
  'heads/order.py': ('order', 'head'),
  'heads/head.py': ('head', 'softmax'),
  'heads/epochs.py': ('epochs', 'head', 'ensemble'),
  'heads/logistic.py': ('logistic', 'multinomial', 'truncated_newton'),
  'heads/newton.py': ('logistic', 'optimum'),
  'stats/metrics.py': ('metrics', 'sixth_metric', 'ranking', 'several'),
  'stats/scores.py': ('metrics', 'sixth_metric', 'several'),
  'stats/areas.py': ('areas', 'several'),
  'stats/inference.py': ('statistics', 'heterogeneity', 'paired', 'several'),
  'stats/heterogeneity.py': ('heterogeneity', 'mendez2019'),
  'stats/paired.py': ('paired',),
  'stats/several.py': ('paired', 'several'),
  'stats/robustness.py': ('robustness',),
  'verdict/chance.py': ('verdict_chance',),
  'verdict/decomposition.py': ('verdict_one_rule',),
  'verdict/gains.py': ('verdict_one_rule', 'verdict_several'),
  'verdict/exchange.py': ('verdict_exchange',),
  'verdict/folds.py': ('verdict_one_rule', 'verdict_edges', 'verdict_loop'),
  'verdict/published.py': ('verdict_published',),
  'verdict/sums.py': ('verdict_exchange',),
  'verdict/rule.py': ('verdict_several', 'verdict_rule'),
  'verdict/one_rule.py': ('verdict_loop',),
  'verdict/ranks.py': ('verdict_records',),
  'verdict/alike.py': ('alike',),
  'verdict/associations.py': ('verdict_associations',),
  'verdict/intervals.py': ('verdict_records', 'alike'),
  'verdict/uneven.py': ('verdict_uneven',),
  'verdict/detectable.py': ('verdict_detectable', 'verdict_edges'),
  'datasets/splits.py': ('splits', 'folder_parts'),
  'datasets/leaks.py': ('leaks', 'effective_dimension'),
  'datasets/selection.py': ('selection', 'splits', 'inspections'),
  'datasets/augmentation.py': ('augmentation',),
}


def main(words: list[str]) -> int:
  """Returns 0 whatever survives: the tables say it."""
  given = proofs.arguments(words, 60, 'modules', 'again')
  os.chdir(_TESTS.parent)
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  with tempfile.TemporaryDirectory(prefix='mutation_') as name:
    # JAX reads it as it is imported; what did not change is compiled once.
    os.environ['JAX_COMPILATION_CACHE_DIR'] = name
    os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0'
    return _run(given)


def _run(given: argparse.Namespace) -> int:
  # pylint: disable=import-outside-toplevel
  import pytest
  import scipy.stats
  import sklearn.cluster

  from heterojax.compute import variables
  from mutation import session

  del scipy, sklearn
  variables.import_jax()
  last = json.loads(FOUND.read_text())
  changes, places, same = {}, {}, {}
  for path in given.modules or (last if given.again else MODULES):
    changes[path] = mutants.of(_PACKAGE, path)
    places[path], same[path] = len(changes[path]), []
    if given.again:
      lived = [known[1:] for known in last[path]['survivors']]
      every = [c for c in changes[path] if entry(c)[1:] in lived]
      same[path] = [c for c in every if _why(c)]
      changes[path] = [c for c in every if not _why(c)]

  def done(path: str, tried: int, survivors: list[mutants.Mutant]) -> None:
    lived = [entry(mutant) for mutant in sorted(survivors + same[path])]
    if given.again:  # A line that is gone takes its changes with it.
      tried += len(same[path])
      tried += last[path]['tried'] - len(last[path]['survivors'])
      tried = min(tried, places[path])  # Some look like one that survived.
    found = {path: {'tried': tried, 'survivors': lived}}
    print(json.dumps(found), file=out, flush=True)
    if not given.json:
      keep(found)

  # What pytest says is no part of the table.
  out = os.fdopen(os.dup(1), 'w')
  os.dup2(2, 1)
  names = {name for path in changes for name in MODULES[path]}
  files = [str(_TESTS / f'test_{name}.py') for name in sorted(names)]
  options = '-q', '-p', 'no:cacheprovider', '-o', 'addopts='
  forks = session.Forks(_PACKAGE, changes, given.seconds, given.seed, done)
  return pytest.main([*options, '-m', 'not slow', *files], plugins=[forks])


def entry(mutant: mutants.Mutant) -> list[Any]:
  """Line, its text, the place in it, and the change."""
  text = (_PACKAGE / mutant.path).read_text().splitlines()[mutant.line - 1]
  return [mutant.line, text.strip(), mutant.column, mutant.what]


def _why(mutant: mutants.Mutant) -> str | None:
  _, text, _, what = entry(mutant)
  return equivalents.why(mutant.path, text, what)


def keep(found: dict[str, Any]) -> None:
  """Puts modules into the record, and the tables of it on the page."""
  with FOUND.open('r+') as file:
    fcntl.lockf(file, fcntl.LOCK_EX)  # Others may run with other modules.
    found = json.load(file) | found
    found = {path: found[path] for path in MODULES if path in found}
    file.seek(0)
    file.truncate()
    file.write(json.dumps(found, indent=1) + '\n')
    markdown.put(proofs.PAGE, 'mutants', _text(found))


def _text(found: dict[str, Any]) -> str:
  rows, lost = [], []
  for path, of_module in found.items():
    survivors = [
      (f'{path}:{line}', f'`{what}`')
      for line, text, _, what in of_module['survivors']
      if not equivalents.why(path, text, what)
    ]
    tried, lived = of_module['tried'], len(of_module['survivors'])
    equal = lived - len(survivors)
    rows.append((path, tried, tried - lived, equal, len(survivors)))
    lost += survivors
  rows.append(('all', *(sum(row[i] for row in rows) for i in range(1, 5))))
  head = ('module', 'changes', 'seen', 'equivalent', 'not seen')
  listed = markdown.table(('survivor', 'change'), lost)
  return f'{markdown.table(head, rows)}\n{listed}'


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
