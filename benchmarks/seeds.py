"""A study over several seeds, beside scikit-learn's LogisticRegression.

python -m benchmarks.seeds --config=configs/fundus.py:protocol=published \
    --config.data.dir=DIR --workdir=DIR --seeds=5

The overall head is stopped early and is not penalised; LogisticRegression(C=1)
is fitted to convergence on the same training features. How far apart their AUCs
on the test set are says what the head's training costs or gains.
"""

import json
import pathlib
import sys
from typing import Any

from absl import flags
import numpy as np
from sklearn.linear_model import LogisticRegression

from heterojax import cli
from heterojax.compute import arithmetic
from heterojax.records import codec
from heterojax.run import environment
from heterojax.run import run_folder
from heterojax.stats import scores
from heterojax.stats.scores import Score
from heterojax.studies import registry
from heterojax.studies import stages
from heterojax.studies.retraining import study as retraining
from heterojax.studies.samples import Samples

_FLAGS = (
  (flags.DEFINE_string, 'workdir', 'seeds', 'A run folder per seed in it.'),
  (flags.DEFINE_integer, 'seeds', 5, 'How many, from the configured one on.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def logistic_regression(samples: Samples, x: np.ndarray) -> Score:
  """LogisticRegression on the features that the head was given."""
  train, test = (samples.row[samples.of(part)] for part in ('train', 'test'))
  fitted = LogisticRegression(C=1.0, max_iter=10_000)
  fitted.fit(x[train], samples.y_of_pictures[train])
  probabilities = fitted.predict_proba(x[test])[:, 1]
  return scores.score(samples.y_of_pictures[test], probabilities)


def _study(config: dict[str, Any], folder: pathlib.Path) -> dict[str, Any]:
  settings = registry.settings(config)
  backbone = stages.load_backbone(settings, download=False)
  here = environment.describe()
  with run_folder.opened(folder, config, here):
    cohorts = retraining.plan(settings, folder)
    samples = stages.collect(settings, cohorts)
    run_folder.begin(folder, config, here)
    results, _ = retraining.run(
      settings, folder, cohorts, samples, backbone, stages.Timer()
    )
    # Those that the study has stored.
    features = stages.extract(
      settings, backbone, samples[0].pictures, cohorts, folder
    )
  peer = logistic_regression(samples[0], features.x)
  return {
    'seed': settings.seed,
    'protocol': results.protocol,
    'dataset': codec.encode(results.dataset),
    'leaks': codec.encode(results.leaks),
    'overall': codec.encode(results.overall),
    'retrained': [c.retrained.value('accuracy') for c in results.clusters],
    'random': [c.random.value('accuracy') for c in results.clusters],
    'logistic_regression': codec.encode(peer),
  }


def _seeds(values: flags.FlagValues) -> int:
  arithmetic.start()
  workdir = pathlib.Path(values.workdir)
  config, records = values.config.to_dict(), []
  for seed in range(config['seed'], config['seed'] + values.seeds):
    record = _study({**config, 'seed': seed}, workdir / f'seed_{seed}')
    records.append(record)
    head, peer = record['overall'], record['logistic_regression']
    print(
      f'seed {seed}: accuracy {head["accuracy"]:.4f}, AUC {head["auc"]:.4f};'
      f' LogisticRegression {peer["accuracy"]:.4f}, {peer["auc"]:.4f}',
      flush=True,
    )
  for name in ('accuracy', 'auc'):
    own = np.array([r['overall'][name] for r in records])
    other = np.array([r['logistic_regression'][name] for r in records])
    print(
      f'{name}: {own.mean():.4f} ({own.min():.4f} to {own.max():.4f}), minus'
      f' LogisticRegression {np.mean(own - other):+.4f}'
      f' ({np.min(own - other):+.4f} to {np.max(own - other):+.4f})'
    )
  run_folder.write_atomically(
    workdir / 'seeds.json', json.dumps(records, indent=2) + '\n'
  )
  return 0


if __name__ == '__main__':
  sys.exit(cli.run(_FLAGS, _seeds, sys.argv, about=__doc__))
