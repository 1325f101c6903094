"""Made-up results of sample-size studies, and the pages written from them."""

from collections.abc import Callable
import dataclasses
import json
import pathlib
from typing import Any

import answers
import numpy as np
import snapshots

from heterojax.configs import bone_age
from heterojax.configs import psp
from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report import blocks
from heterojax.stats import heterogeneity
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies import choosing
from heterojax.studies import records as shared
from heterojax.studies import registry
from heterojax.studies.answer import answer
from heterojax.studies.sample_size import mendez2019
from heterojax.studies.sample_size import pages
from heterojax.studies.sample_size import records
from heterojax.studies.sample_size.pages import page
from heterojax.studies.sample_size.records import Results
from heterojax.studies.sample_size.view import View
from heterojax.studies.settings import Settings

HOSTILE = '<script>alert(1)</script>'
MODELS = {'classification': 'psp', 'regression': 'bone_age'}
CONFIGS = {'classification': psp, 'regression': bone_age}
METRICS = {'classification': 'accuracy', 'regression': 'one_minus_nrmse'}
# Fractions of a size per fold: nothing is round.
_SHARE = (0.27, 0.24, 0.26, 0.23)
_NONE = Missing('fewer than two clusters have test images')
_MADE_UP = Missing('this is made up')
VIEW = View(np.array(['1', '2']), np.array([0, 1]))


def settings(task: str = 'classification') -> Settings:
  """The settings of the paper's model."""
  return registry.settings(CONFIGS[task].get_config().to_dict())


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
) -> Results:
  """Results such as a study writes, with numbers from a formula.

  Args:
    task: classification or regression.
    sizes: numbers of images.
    k: clusters; the last one of fold 0 of the smallest size has no test image.
    folds: of each size.
    name: of the data set.
    labels: positive and negative class.
    given: whether features and predictions are given.
    method: of the clustering.
    components: whether their number was chosen by the CV.

  Returns:
    The results.
  """
  stream = np.random.default_rng(len(sizes) * k)
  described = tuple(
    _size(stream, task, n, k, folds, n == sizes[0], method, components)
    for n in sizes
  )
  target = counts = None
  if task == 'regression':
    labels, target = ('', ''), records.Target(1.0, 228.0, 120.25, 41.5)
  else:
    positive = sizes[-1] // 3
    counts = dict(zip(labels, (positive, sizes[-1] - positive), strict=True))
  published = Missing('the paper did not study these data')
  if k == 4 and not given:
    published = mendez2019.mendez2019(MODELS[task])
  rows = _validity(stream)
  fuzzy, gmm = method == 'fuzzy', method == 'gmm'
  none = Missing(f'{choosing.METHODS[method]} has none')
  unknown = Missing('the features are given')
  return Results(
    schema_version=1,
    study='sample_size',
    task=task,
    protocol='clean',
    seed=0,
    metric=METRICS[task],
    predictions='given' if given else 'trained',
    split=shared.Split(folds=folds if folds > 1 else 0, named=given),
    dataset=records.Dataset(
      name=name,
      positive=labels[0],
      negative=labels[1],
      n_candidates=3001,
      n=sizes[-1],
      notes=(f'{name} has a note.',),
      target=target,
      class_counts=counts,
    ),
    backbone=shared.Network(
      name='given' if given else 'resnet18',
      source=unknown if given else 'torchvision',
      weights=unknown if given else 'imagenet',
      weights_sha256=unknown if given else 'f00d' * 16,
      feature='given' if given else 'avg',
      dim=512,
      train='frozen',
      dtype=unknown if given else 'float32',
    ),
    reduction=records.Reduction(
      'pca', 'minimum_mode_cv' if components else 'fixed', 10, 0.612
    ),
    cluster=records.Clustering(
      method=method,
      names=none,
      k=k,
      n_init=1,
      fuzzifier=2.0 if fuzzy else none,
      covariance='full' if gmm else none,
      trainings=10,
      matching='members',
    ),
    sizes=described,
    cv_vs_metric=_relation(described),
    validity=records.Validity(2196, rows, choosing.reading(rows)),
    findings=(),
    verdict=answer.verdict(Missing('not measured'), answers.facts(k)),
    leaks=_leaks(labels if counts else ('all',), given),
    shortcuts=_shortcuts(bool(counts)),
    published=published,
    timings={
      'data': {'seconds': 1.25},
      'features': {'seconds': 60.5, 'images_per_second': 48.4},
      'heads': {'seconds': 1.0, 'heads': 0 if given else 16},
    },
    environment={
      'heterojax': '0.1.0',
      'platform': 'cpu',
      'packages': {'jax': '0.10.2'},
    },
  )


def _relation(sizes: tuple[records.Size, ...]) -> heterogeneity.CvVsMetric:
  return heterogeneity.cv_vs_metric(
    [codec.known(size.mean_of_cvs) for size in sizes],
    [codec.known(size.metric_mean) for size in sizes],
  )


def _score(
  stream: np.random.Generator, task: str, n: int, skill: float
) -> Score | RegressionScore:
  if task == 'regression':
    values = {
      'one_minus_nrmse': skill,
      'one_minus_nrmse_mean': skill - 0.1,
      'one_minus_nrmse_std': skill - 0.55 + stream.uniform(0, 0.1),
      'rmse': 227 * (1 - skill),
      'mean_absolute_error': 180 * (1 - skill),
    }
    return RegressionScore(n, values)
  right = round(skill * n)
  values = {
    'accuracy': right / n,
    'auc': skill + stream.uniform(0, 0.04),
    'sensitivity': Missing('none is of the class'),
    'specificity': skill - 0.02,
  }
  return Score(
    n=n,
    tp=right // 2,
    fp=(n - right) // 2,
    tn=right - right // 2,
    fn=n - right - (n - right) // 2,
    values=values,
    intervals=dict.fromkeys(values),
  )


def _leaks(labels: tuple[str, ...], given: bool) -> shared.Leaks:
  nothing = Partly(dict.fromkeys(labels, 0))
  pixels = Missing('the data are not images') if given else nothing
  return {
    'same_path': nothing,
    'identical_file': nothing,
    'identical_pixels': pixels,
    'shared_group': Missing('none names a patient or group'),
    'near_duplicate': Partly(dict.fromkeys(labels, 1)),
  }


def _shortcuts(classes: bool) -> tuple[shared.Shortcut, ...]:
  several = Missing('several columns have no one association')
  none = Missing('the labels are numbers, of which none is a class')
  return (
    shared.Shortcut(
      column='scanner',
      kind='categorical',
      measure="Cramer's V",
      n=75,
      with_class=0.25 if classes else none,
      with_cluster=0.75,
      p_value=0.5 if classes else none,
      p_value_with_cluster=0.002,
      auc_alone=0.55 if classes else none,
    ),
    shared.Shortcut(
      column='all columns',
      kind=several,
      measure=several,
      n=75,
      with_class=several,
      with_cluster=several,
      p_value=several,
      p_value_with_cluster=several,
      auc_alone=0.55 if classes else none,
    ),
  )


def _no_cv(**cv: Missing) -> dict[str, Any]:
  names = ('cv_of_means', 'cv_expected', 'cv_band', 'cv_corrected')
  return dict.fromkeys((*names, 'cv_p_value'), _NONE) | cv


def _fold(
  stream: np.random.Generator,
  task: str,
  n: int,
  k: int,
  share: float,
  skill: float,
  number: int,
  empty: bool,
  components: bool,
) -> records.Fold:
  n_test = max(round(n * share), k)
  scores = _score(stream, task, n_test, skill + stream.uniform(-0.02, 0.02))
  counts = stream.multinomial(n_test - k, np.ones(k) / k) + 1.0
  metric: list[float | None] = np.clip(
    skill + stream.normal(0, 0.6 / np.sqrt(n_test), k), 0.1, 1
  ).tolist()
  if empty:
    counts[0] += counts[-1]
    counts[-1], metric[-1] = 0, None
  sizes = stream.dirichlet(np.full(k, 30.0))
  expected = 1.1 * float(np.sqrt((1 - skill) * k / n_test))
  cv = float(heterogeneity.coefficient_of_variation(np.array(metric, float)))
  spread = [None if m is None else 0.013 * m for m in metric]
  why = 'a cluster has no test images' if empty else ''
  fold = records.Fold(
    n_train=n - n_test,
    n_test=n_test,
    metric=scores.value(METRICS[task]),
    baseline=0.55,
    scores=scores,
    cluster_metric=Partly(tuple(metric), why),
    cluster_size=tuple(sizes.tolist()),
    cluster_n_test=tuple(counts.tolist()),
    n_clusters_with_test=k - empty,
    cv=cv,
    cv_of_means=0.9 * cv,
    cv_expected=expected,
    cv_band=(0.35 * expected, 1.9 * expected),
    cv_corrected=float(np.sqrt(max(cv**2 - expected**2, 0))),
    cv_p_value=0.25,
    training_spread=records.FoldSpread(
      0.11 * cv, 0.8 * cv, 1.3 * cv, Partly(tuple(spread), why)
    ),
    adjusted_rand=float(stream.uniform(0.3, 0.95)),
    jaccard=Partly(tuple(stream.uniform(0.3, 0.95, k).tolist())),
    n_components=10 - number % 2,
    explained_variance=0.6 + 0.01 * number,
    empty=(records.Empty(k - 1, 10),) if empty else (),
    unconverged=0,
    cv_by_components=_components(stream, cv)
    if components
    else Missing('the number of components was not chosen by the CV'),
  )
  if not np.isnan(cv):
    return fold
  spread = dataclasses.replace(
    fold.training_spread, cv_std=_NONE, cv_min=_NONE, cv_max=_NONE
  )
  return dataclasses.replace(fold, training_spread=spread, **_no_cv(cv=_NONE))


def _size(
  stream: np.random.Generator,
  task: str,
  n: int,
  k: int,
  number: int,
  first: bool,
  method: str,
  components: bool,
) -> records.Size:
  skill = 0.93 - 1.6 / float(np.sqrt(n))
  folds = tuple(
    _fold(
      stream,
      task,
      n,
      k,
      _SHARE[t % 4] * 4 / number if number > 1 else 0.2,
      skill,
      t,
      first and t == 0,
      components,
    )
    for t in range(number)
  )
  known = [fold for fold in folds if codec.known(fold.cv) is not None] or folds
  mean = lambda of: float(np.mean([of(fold) for fold in known]))
  columns = zip(*(fold.cluster_metric.value for fold in folds), strict=True)
  inside = [[m for m in column if m is not None] for column in columns]
  per_cluster = tuple(float(np.mean(own)) if own else None for own in inside)
  why = '' if all(inside) else 'a cluster has no test images'
  shares = np.mean([fold.cluster_size for fold in folds], axis=0)
  points = stream.uniform(9, 12, (k, 2))
  apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
  matrix = lambda values: Partly(tuple(map(tuple, values.tolist())))
  judged = codec.known(known[0].cv) is not None
  cv = mean(lambda fold: fold.cv) if judged else 0.0
  expected = mean(lambda fold: fold.cv_expected) if judged else 0.0
  fuzzifiers = Missing(f'{choosing.METHODS[method]} has none')
  if method == 'fuzzy' and judged:
    fuzzifiers = tuple(
      records.Fuzzifier(
        m, cv * m, cv / m, tuple(stream.dirichlet(np.full(k, 9.0)).tolist())
      )
      for m in (1.1, 1.5, 2.0)
    )
  size = records.Size(
    n=n,
    n_train=mean(lambda fold: fold.n_train),
    n_test=mean(lambda fold: fold.n_test),
    baseline=0.55,
    folds=folds,
    metric_mean=mean(lambda fold: fold.metric),
    cluster_metric_mean=Partly(per_cluster, why),
    cluster_size_mean=tuple(shares.tolist()),
    n_clusters_with_test=k,
    mean_of_cvs=cv,
    cv_of_means=0.8 * cv,
    cv_expected=expected,
    cv_band=(0.6 * expected, 1.45 * expected),
    cv_corrected=mean(lambda fold: fold.cv_corrected) if judged else 0.0,
    cv_p_value=0.25,
    band_draws=999,
    band_stays=0,
    band_exchanged=1.0,
    band=heterogeneity.band(cv) or _NONE,
    training_spread=records.SizeSpread(0.1 * cv),
    adjusted_rand=mean(lambda fold: fold.adjusted_rand),
    centroid_distances=matrix(10 + apart - 10 * np.eye(k)),
    closest_point_distances=matrix(0.3 * apart),
    to_centroid=tuple(
      records.ToCentroid(c, 2.5 + c, 20.25 + c, 11.5 + c, 3.125 + c)
      for c in range(k)
    ),
    fuzzifiers=fuzzifiers,
  )
  if judged:
    return size
  spread = records.SizeSpread(_NONE)
  return dataclasses.replace(
    size, training_spread=spread, **_no_cv(mean_of_cvs=_NONE, band=_NONE)
  )


def _components(stream: np.random.Generator, cv: float) -> records.ByComponents:
  number = np.arange(1, 71)
  jumps = cv + 0.01 * np.round(
    6 * np.exp(-number / 9) + stream.normal(0, 0.4, 70)
  )
  found = heterogeneity.minimum_mode_cv(jumps)
  return records.ByComponents(
    n_components=tuple(number.tolist()),
    metric='accuracy',
    cv=Partly((None, *(0.9 * jumps[1:]).tolist()), 'all are in one cluster'),
    cv_minus_one=Partly(tuple(jumps.tolist())),
    mode=found.cv,
    frequency=found.frequency,
    chosen=found.n_components or _NONE,
  )


def _validity(stream: np.random.Generator) -> tuple[choosing.Choice, ...]:
  rows = [
    choosing.Choice(
      method=method,
      k=k,
      inertia=250000 / k**0.5 + 9000 * slope,
      silhouette=0.3 - 0.02 * k - 0.03 * slope,
      calinski_harabasz=700 / k + 30 * slope,
      davies_bouldin=1.2 + 0.1 * k + 0.2 * slope,
      sizes=tuple(stream.multinomial(2196, np.ones(k) / k).tolist()),
    )
    for slope, method in enumerate(choosing.METHODS)
    for k in range(2, 11)
  ]
  silhouette = Missing('one cluster is empty')
  return (*rows[:-1], dataclasses.replace(rows[-1], silhouette=silhouette))


def put(record: Any, path: str, value: Any) -> Any:
  """The record with one value changed.

  Args:
    record: a record, or a tuple of them.
    path: as 'sizes.0.folds.*.cv'; `*` is every entry.
    value: a function of the value that is there, or what stands there then.

  Returns:
    The new record.
  """
  name, _, rest = path.partition('.')

  def changed(own: Any) -> Any:
    if rest:
      return put(own, rest, value)
    return value(own) if isinstance(value, Callable) else value

  if not isinstance(record, tuple):
    return dataclasses.replace(record, **{name: changed(getattr(record, name))})
  places = range(len(record)) if name == '*' else [int(name) % len(record)]
  return tuple(
    changed(own) if i in places else own for i, own in enumerate(record)
  )


def _made_up(value: Any) -> Any:
  """Nothing estimable where a record may say so, the same shape elsewhere."""
  if isinstance(value, Partly):
    return Partly(_emptied(value.value), _MADE_UP.why)
  if isinstance(value, tuple):
    return tuple(map(_made_up, value))
  if not dataclasses.is_dataclass(value) or isinstance(value, Missing):
    return value
  changes = {}
  for name, expected in codec.fields(type(value)).items():
    own = getattr(value, name)
    number = isinstance(own, (int, float, str)) or name == 'cv_band'
    changes[name] = _MADE_UP if expected.may_miss and number else _made_up(own)
  return dataclasses.replace(value, **changes)


def _emptied(values: Any) -> Any:
  return tuple(map(_emptied, values)) if isinstance(values, tuple) else None


def nulled(results: Results) -> Results:
  """The same results with nothing estimable."""
  sizes = _made_up(results.sizes)
  scored = dataclasses.replace(
    results,
    sizes=sizes,
    validity=_made_up(results.validity),
    cv_vs_metric=_relation(sizes),
    reduction=_made_up(results.reduction),
  )
  return put(
    put(scored, 'sizes.*.folds.*.cv_by_components.frequency', 0)
    if pages.choice_tables.has_components(scored)
    else scored,
    'sizes.*.folds.*.scores',
    lambda score: dataclasses.replace(
      score, values=dict.fromkeys(score.values, _MADE_UP)
    ),
  )


def write(folder: pathlib.Path, results: Results) -> str:
  """Writes a run folder and its report; returns the page."""
  config = CONFIGS[results.task].get_config().to_dict()
  (folder / 'config.json').write_text(json.dumps(config))
  label = results.dataset.positive
  (folder / 'manifest.csv').write_text(
    'id,path,label,group,split,included,reason,scanner\n'
    f'1,1.png,{label},,,true,,A\n'
    f'2,2.png,{label},,,false,not drawn,B\n'
    f'3,3.png,0,,,false,{HOSTILE},\n'
  )
  # As a run folder holds it.
  text = json.dumps(codec.encode(results), allow_nan=False)
  stored = codec.decode(Results, json.loads(text))
  assert stored == results
  pages.write(folder, stored, VIEW)
  return (folder / 'report.html').read_text()


def html_of(results: Results) -> str:
  """The page, without figures, of a run whose folder has nothing else."""
  made = page.page(results, settings(results.task), VIEW, [])
  return blocks.html(made, snapshots.NoFigures())
