"""A study over several seeds: how far its numbers and statements hang on one.

python -m benchmarks.seeds --config=configs/fundus.py:protocol=published \
    --config.data.dir=DIR --workdir=DIR --seeds=20

The seed draws the images, splits them, starts K-means and initialises the
heads. A retraining study stands beside scikit-learn's LogisticRegression(C=1)
on the same features, which is fitted to convergence: how far apart they are
says what stopping the overall head early costs or gains.
"""

from collections.abc import Sequence
import json
import pathlib
import shutil
import sys
from typing import Any

from absl import flags
import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from heterojax import cli
from heterojax.compute import arithmetic
from heterojax.compute import compilation
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Cohort
from heterojax.records import codec
from heterojax.run import atomic
from heterojax.run import environment
from heterojax.run import run_folder
from heterojax.stats import scores
from heterojax.studies import registry
from heterojax.studies import stages
from heterojax.studies.retraining import records as retraining
from heterojax.studies.sample_size import records as sample_size
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_FLAGS = (
  (flags.DEFINE_string, 'workdir', 'seeds', 'A run folder per seed in it.'),
  (flags.DEFINE_integer, 'seeds', 5, 'How many, from the configured one on.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)
# What a seed gives, in words; None where it cannot be estimated.
Values = dict[str, float | None]


def logistic_regression(samples: Samples, x: np.ndarray) -> scores.Score:
  """LogisticRegression on the features that the head was given."""
  train, test = (samples.row[samples.of(part)] for part in ('train', 'test'))
  fitted = LogisticRegression(C=1.0, max_iter=10_000)
  fitted.fit(x[train], samples.y_of_pictures[train])
  probabilities = fitted.predict_proba(x[test])[:, 1]
  return scores.score(samples.y_of_pictures[test], probabilities)


def of_retraining(results: retraining.Results) -> Values:
  """Of the heads; those of the clusters from the worst to the best.

  A head is at chance where the 95 % interval of its accuracy reaches down to
  the share of the larger class of the test images.
  """
  clusters = [c for c in results.clusters if c.retrained.value('accuracy')]
  values: Values = {
    f'overall, {name}': results.overall.value(name)
    for name in ('accuracy', 'auc')
  }
  ranked = sorted(clusters, key=lambda c: c.retrained.value('accuracy') or 0)
  for place, c in enumerate(ranked, 1):
    values[f'retrained {place}, accuracy'] = c.retrained.value('accuracy')
    values[f'retrained {place}, random'] = c.random.value('accuracy')
    values[f'retrained {place}, images'] = c.size
    values[f'retrained {place}, larger class'] = c.majority[1]
  counts = results.dataset.class_counts_test.values()
  chance = max(counts) / sum(counts)
  intervals = [c.retrained.interval('accuracy') for c in clusters]
  values['heads at chance'] = sum(
    interval is not None and interval[0] <= chance for interval in intervals
  )
  if results.verdict:
    p_value = codec.known(results.verdict.one_rule.p_value)
    values['p of another rule'] = p_value
  inside = [c.intra_cluster_distance for c in clusters]
  known = [d for d in inside if isinstance(d, float)]
  values['least intra-cluster distance'] = min(known, default=None)
  values['largest intra-cluster distance'] = max(known, default=None)
  return values


def of_sample_size(results: sample_size.Results) -> Values:
  """Of each size: the metric, the CV over clusters, and whether it is large."""
  values: Values = {}
  for s in results.sizes:
    fields = {
      results.metric: s.metric_mean,
      'CV': s.mean_of_cvs,
      'CV expected': s.cv_expected,
      'p of the CV': s.cv_p_value,
    }
    for name, value in fields.items():
      number = float(value) if isinstance(value, int | float) else None
      values[f'n = {s.n}, {name}'] = number
  return values


def summary(values: Sequence[float | None]) -> dict[str, Any]:
  """Mean, range and the 95 % t-interval of the mean over seeds."""
  known = np.array([v for v in values if v is not None], float)
  if not len(known):
    return {'seeds': 0}
  mean, n = float(known.mean()), len(known)
  half = 0.0
  if n > 1:
    error = known.std(ddof=1) / np.sqrt(n)
    half = float(stats.t.ppf(0.975, n - 1) * error)
  return {
    'seeds': n,
    'mean': mean,
    'interval': [mean - half, mean + half],
    'least': float(known.min()),
    'largest': float(known.max()),
  }


def _peer(
  settings: Settings,
  folder: pathlib.Path,
  cohorts: Sequence[Cohort],
  samples: Sequence[Samples],
  backbone: Any,
) -> Values:
  # Features that the study has stored.
  features = stages.extract(
    settings, backbone, samples[0].pictures, cohorts, folder
  )
  peer = logistic_regression(samples[0], features.x)
  return {
    f'LogisticRegression, {name}': peer.value(name)
    for name in ('accuracy', 'auc')
  }


def _study(
  config: dict[str, Any], folder: pathlib.Path, backbone: Any
) -> dict[str, Any]:
  settings = registry.settings(config)
  study, here = registry.get(settings.study), environment.describe()
  with run_folder.opened(folder, config, here):
    cohorts = study.plan(settings, folder, Inspections())
    samples = stages.collect(settings, cohorts)
    study.check(settings, cohorts[0].source, backbone)
    run_folder.begin(folder, config, here)
    results, _ = study.run(
      settings, folder, cohorts, samples, backbone, stages.Timer()
    )
    values: Values
    if isinstance(results, retraining.Results):
      values = of_retraining(results)
      if len(cohorts) == 1:
        values |= _peer(settings, folder, cohorts, samples, backbone)
    else:
      values = of_sample_size(results)
  # A third of a gigabyte each, flattened.
  shutil.rmtree(folder / 'features', ignore_errors=True)
  return {
    'seed': settings.seed,
    'answer': results.verdict.sentence if results.verdict else '',
    'values': values,
  }


def _seeds(values: flags.FlagValues) -> int:
  arithmetic.start()
  compilation.keep_programs()
  workdir = pathlib.Path(values.workdir)
  config, records = values.config.to_dict(), []
  backbone = stages.load_backbone(registry.settings(config), download=False)
  for seed in range(config['seed'], config['seed'] + values.seeds):
    folder = workdir / f'seed_{seed}'
    records.append(_study({**config, 'seed': seed}, folder, backbone))
    print(f'seed {seed}: {records[-1]["answer"]}', flush=True)
  names = dict.fromkeys(name for r in records for name in r['values'])
  summaries = {
    name: summary([r['values'].get(name) for r in records]) for name in names
  }
  for name, s in summaries.items():
    if not s['seeds']:
      continue
    low, high = s['interval']
    print(
      f'{name}: {s["mean"]:.4g} [{low:.4g}, {high:.4g}], from'
      f' {s["least"]:.4g} to {s["largest"]:.4g} over {s["seeds"]} seeds'
    )
  atomic.write(
    workdir / 'seeds.json',
    json.dumps({'summary': summaries, 'seeds': records}, indent=2) + '\n',
  )
  return 0


if __name__ == '__main__':
  sys.exit(cli.run(_FLAGS, _seeds, sys.argv, about=__doc__))
