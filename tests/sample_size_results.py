"""Made-up results of sample-size studies, and the pages written from them."""

import copy
import json
import pathlib

import numpy as np

from heterojax.configs import bone_age
from heterojax.configs import psp
from heterojax.stats import heterogeneity
from heterojax.studies.retraining import pages as report
from heterojax.studies.sample_size import mendez2019

HOSTILE = '<script>alert(1)</script>'
MODELS = {'classification': 'psp', 'regression': 'bone_age'}
CONFIGS = {'classification': psp, 'regression': bone_age}
# Fractions of a size per fold, and of its CV: nothing is round.
_SHARE = (0.27, 0.24, 0.26, 0.23)
_WHY = 'fewer than two clusters have test images'
NO_CVS = {
  name: value
  for cv in ('cv', 'cv_of_means', 'cv_expected', 'cv_band', 'cv_corrected')
  for name, value in ((cv, None), (f'{cv}_why', _WHY))
}


def example(
  task: str = 'classification',
  sizes: tuple[int, ...] = (100, 300, 1464, 2928),
  k: int = 4,
  folds: int = 4,
  *,
  name: str = 'PSP plates',
  labels: tuple[str, str] = ('discard', 'keep'),
  given: bool = False,
  method: str = 'fuzzy',
  components: bool = False,
) -> dict:
  """Results such as a study writes, with numbers from a formula.

  Args:
    task: classification or regression.
    sizes: numbers of images.
    k: clusters; the last one of fold 0 of the smallest size has no test image.
    folds: of each size.
    name: of the data set.
    labels: positive and negative class.
    given: whether the features are given.
    method: of the clustering.
    components: whether their number was chosen by the CV.

  Returns:
    `results.json`.
  """
  stream = np.random.default_rng(len(sizes) * k)
  scoring = _accuracy if task == 'classification' else _regression
  described = [
    _size(
      stream,
      scoring,
      n,
      k,
      folds,
      first=n == sizes[0],
      method=method,
      components=components,
    )
    for n in sizes
  ]
  dataset = {
    'name': name,
    'positive': '',
    'negative': '',
    'n_candidates': 3001,
    'n': sizes[-1],
    'notes': [f'{name} has a note.'],
  }
  if task == 'classification':
    positive = sizes[-1] // 3
    dataset |= {
      'positive': labels[0],
      'negative': labels[1],
      'class_counts': {labels[0]: positive, labels[1]: sizes[-1] - positive},
    }
  else:
    target = {'min': 1.0, 'max': 228.0, 'mean': 120.25, 'std': 41.5}
    dataset['target'] = target
  published = None
  if k == 4 and not given:
    published = mendez2019.mendez2019(MODELS[task])
  weights = None if given else 'imagenet'
  return {
    'schema_version': 1,
    'study': 'sample_size',
    'task': task,
    'protocol': 'clean',
    'seed': 0,
    'metric': scoring.__name__[1:].replace('regression', 'one_minus_nrmse'),
    'split': {'folds': folds if folds > 1 else 0, 'named': given},
    'dataset': dataset,
    'backbone': {
      'name': 'given' if given else 'resnet18',
      'source': None if given else 'torchvision',
      'weights': weights,
      'weights_sha256': None if given else 'f00d' * 16,
      'feature': 'given' if given else 'avg',
      'dim': 512,
      'train': 'frozen',
      'dtype': None if given else 'float32',
    },
    'reduction': {
      'method': 'pca',
      'rule': 'minimum_mode_cv' if components else 'fixed',
      'n_components': 10,
      'explained_variance': 0.612,
    },
    'cluster': {
      'method': method,
      'k': k,
      'n_init': 1,
      'trainings': 10,
      'fuzzifier': 2.0 if method == 'fuzzy' else None,
      'covariance': 'full' if method == 'gmm' else None,
      'matching': 'members',
    },
    'sizes': described,
    'cv_vs_metric': heterogeneity.cv_vs_metric(
      [s['mean_of_cvs'] for s in described],
      [s['metric_mean'] for s in described],
    ),
    'validity': {'n': 2196, 'rows': _validity(stream)},
    'published': published,
    'findings': [],
    'timings': {
      'data': {'seconds': 1.25},
      'features': {'seconds': 60.5, 'images_per_second': 48.4},
      'heads': {'seconds': 1.0, 'heads': 0 if given else 16},
    },
    'environment': {
      'heterojax': '0.1.0',
      'platform': 'cpu',
      'packages': {'jax': '0.10.2'},
    },
  }


def _accuracy(stream: np.random.Generator, n: int, skill: float) -> dict:
  right = round(skill * n)
  return {
    'n': n,
    'tp': right // 2,
    'fp': (n - right) // 2,
    'tn': right - right // 2,
    'fn': n - right - (n - right) // 2,
    'accuracy': right / n,
    'auc': skill + stream.uniform(0, 0.04),
    'sensitivity': None,
    'sensitivity_why': 'no images of the class',
    'specificity': skill - 0.02,
    'intervals': {},
  }


def _regression(stream: np.random.Generator, n: int, skill: float) -> dict:
  return {
    'n': n,
    'one_minus_nrmse': skill,
    'one_minus_nrmse_mean': skill - 0.1,
    'one_minus_nrmse_std': skill - 0.55 + stream.uniform(0, 0.1),
    'rmse': 227 * (1 - skill),
    'mean_absolute_error': 180 * (1 - skill),
  }


def _size(stream, scoring, n, k, folds, *, first, method, components) -> dict:
  skill = 0.93 - 1.6 / np.sqrt(n)
  own = []
  for number in range(folds):
    share = _SHARE[number % 4] * 4 / folds if folds > 1 else 0.2
    n_test = max(round(n * share), k)
    scores = scoring(stream, n_test, skill + stream.uniform(-0.02, 0.02))
    counts = stream.multinomial(n_test - k, np.ones(k) / k) + 1.0
    metric = list(
      np.clip(skill + stream.normal(0, 0.6 / np.sqrt(n_test), k), 0.1, 1)
    )
    if first and number == 0:
      counts[0] += counts[-1]
      counts[-1], metric[-1] = 0, None
    share = stream.dirichlet(np.full(k, 30.0))
    expected = 1.1 * np.sqrt((1 - skill) * k / n_test)
    cv = float(heterogeneity.coefficient_of_variation(np.array(metric, float)))
    metrics = [v for v in scores.values() if isinstance(v, float)]
    own.append({
      'n_train': n - n_test,
      'n_test': n_test,
      'metric': metrics[0],
      'baseline': 0.55,
      'scores': scores,
      'cluster_metric': metric,
      'cluster_size': share.tolist(),
      'cluster_n_test': counts.tolist(),
      'cv': cv,
      'cv_of_means': 0.9 * cv,
      'cv_expected': expected,
      'cv_band': [0.35 * expected, 1.9 * expected],
      'cv_corrected': float(np.sqrt(max(cv**2 - expected**2, 0))),
      'training_spread': {
        'cv_std': 0.11 * cv,
        'cv_min': 0.8 * cv,
        'cv_max': 1.3 * cv,
        'cluster_metric_std': [
          None if m is None else 0.013 * m for m in metric
        ],
      },
      'adjusted_rand': float(stream.uniform(0.3, 0.95)),
      'jaccard': stream.uniform(0.3, 0.95, k).tolist(),
      'n_components': 10 - number % 2,
      'explained_variance': 0.6 + 0.01 * number,
      'empty': [{'cluster': k - 1, 'trainings': 10}]
      if first and number == 0
      else [],
      'cv_by_components': _components(stream, cv) if components else None,
    })
    if np.isnan(cv):
      own[-1] |= NO_CVS
      own[-1]['training_spread'] |= {
        'cv_std': None,
        'cv_min': None,
        'cv_max': None,
      }
  known = [fold for fold in own if fold['cv'] is not None] or own
  mean = lambda of: float(np.mean([fold[of] for fold in known]))
  per_cluster = [
    float(np.mean([m for m in column if m is not None]))
    if any(m is not None for m in column)
    else None
    for column in zip(*(fold['cluster_metric'] for fold in own))
  ]
  points = stream.uniform(9, 12, (k, 2))
  distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
  cv = mean('cv') if known[0]['cv'] is not None else None
  described = {
    'n': n,
    'n_train': mean('n_train'),
    'n_test': mean('n_test'),
    'baseline': 0.55,
    'folds': own,
    'metric_mean': mean('metric'),
    'cluster_metric_mean': per_cluster,
    'cluster_size_mean': np.mean(
      [fold['cluster_size'] for fold in own], axis=0
    ).tolist(),
    'training_spread': {'cv_std': None},
    'adjusted_rand': mean('adjusted_rand'),
    'centroid_distances': (10 + distance - 10 * np.eye(k)).tolist(),
    'closest_point_distances': (0.3 * distance).tolist(),
    'to_centroid': [
      {
        'cluster': c,
        'min': 2.5 + c,
        'max': 20.25 + c,
        'mean': 11.5 + c,
        'std': 3.125 + c,
      }
      for c in range(k)
    ],
    'fuzzifiers': None,
  }
  if cv is None:
    return (
      described
      | NO_CVS
      | {'mean_of_cvs': None, 'mean_of_cvs_why': _WHY, 'band': None}
    )
  if method == 'fuzzy':
    described['fuzzifiers'] = [
      {
        'fuzzifier': m,
        'mean_of_cvs': cv * m,
        'cv_of_means': cv / m,
        'cluster_size_mean': stream.dirichlet(np.full(k, 9.0)).tolist(),
      }
      for m in (1.1, 1.5, 2.0)
    ]
  return described | {
    'mean_of_cvs': cv,
    'cv_of_means': 0.8 * cv,
    'band': heterogeneity.band(cv),
    'cv_expected': mean('cv_expected'),
    'cv_band': [0.6 * mean('cv_expected'), 1.45 * mean('cv_expected')],
    'cv_corrected': mean('cv_corrected'),
    'training_spread': {'cv_std': 0.1 * cv},
  }


def _components(stream: np.random.Generator, cv: float) -> dict:
  number = list(range(1, 71))
  jumps = cv + 0.01 * np.round(
    6 * np.exp(-np.array(number) / 9) + stream.normal(0, 0.4, 70)
  )
  found = heterogeneity.minimum_mode_cv(jumps)
  return {
    'n_components': number,
    'cv': [None, *(0.9 * jumps[1:]).tolist()],
    'cv_minus_one': jumps.tolist(),
    'metric': 'accuracy',
    'mode': float(found.cv),
    'frequency': found.frequency,
    'chosen': found.n_components,
  }


def _validity(stream: np.random.Generator) -> list[dict]:
  rows = []
  for slope, method in enumerate(('kmeans', 'fuzzy', 'gmm')):
    for k in range(2, 11):
      sizes = stream.multinomial(2196, np.ones(k) / k).tolist()
      rows.append({
        'method': method,
        'k': k,
        'inertia': 250000 / k**0.5 + 9000 * slope,
        'silhouette': 0.3 - 0.02 * k - 0.03 * slope,
        'calinski_harabasz': 700 / k + 30 * slope,
        'davies_bouldin': 1.2 + 0.1 * k + 0.2 * slope,
        'sizes': sizes,
      })
  rows[-1] |= {'silhouette': None, 'silhouette_why': 'one cluster is empty'}
  return rows


def write(folder: pathlib.Path, results: dict) -> str:
  """Writes a run folder and its report; returns the page."""
  config = CONFIGS[results['task']].get_config().to_dict()
  (folder / 'config.json').write_text(json.dumps(config))
  (folder / 'manifest.csv').write_text(
    'id,path,label,group,split,included,reason\n'
    f'1,1.png,{results["dataset"]["positive"]},,,true,\n'
    f'2,2.png,{results["dataset"]["positive"]},,,false,not drawn\n'
    f'3,3.png,0,,,false,{HOSTILE}\n'
  )
  # As a run folder holds it.
  stored = json.loads(json.dumps(results, allow_nan=False))
  report.write(folder, stored)
  return (folder / 'report.html').read_text()


def nulled(results: dict) -> dict:
  """The same results with nothing estimable."""
  results = copy.deepcopy(results)
  why = 'this is made up'
  cvs = {name: None if value is None else why for name, value in NO_CVS.items()}
  for size in results['sizes']:
    k = len(size['cluster_metric_mean'])
    size |= cvs | {
      'mean_of_cvs': None,
      'mean_of_cvs_why': why,
      'band': None,
      'adjusted_rand': None,
      'adjusted_rand_why': why,
      'metric_mean': None,
      'metric_mean_why': why,
      'baseline': None,
      'baseline_why': why,
      'cluster_metric_mean': [None] * k,
      'training_spread': {'cv_std': None},
      'centroid_distances': [[None] * k] * k,
      'closest_point_distances': [[None] * k] * k,
    }
    for row in size['to_centroid']:
      row |= {'min': None, 'max': None, 'mean': None, 'std': None}
    for row in size['fuzzifiers'] or ():
      row |= {'mean_of_cvs': None, 'cv_of_means': None}
    for fold in size['folds']:
      names = ('metric', 'baseline', 'adjusted_rand', 'explained_variance')
      fold |= (
        cvs
        | dict.fromkeys(names)
        | {
          'cluster_metric': [None] * k,
          'jaccard': [None] * k,
          'training_spread': {
            'cv_std': None,
            'cv_min': None,
            'cv_max': None,
            'cluster_metric_std': [None] * k,
          },
        }
      )
      if own := fold['cv_by_components']:
        empty = [None] * len(own['cv'])
        own |= {
          'cv': empty,
          'cv_minus_one': empty,
          'mode': None,
          'frequency': 0,
          'chosen': None,
        }
  for row in results['validity']['rows']:
    row |= dict.fromkeys((
      'inertia',
      'silhouette',
      'calinski_harabasz',
      'davies_bouldin',
    ))
  none = [None] * len(results['sizes'])
  results['cv_vs_metric'] = heterogeneity.cv_vs_metric(none, none)
  results['reduction'] |= {'n_components': None, 'explained_variance': None}
  return results
