"""What the clusters and heads of a study say of a second data set.

Its images go through the same program, into the components of the training
images, and are of the cluster whose centroid is nearest; known groups are their
own. With several folds, clusters are those of the first one, and a head is the
mean of the logits of its heads of all folds. Axes: E images, H heads of all
folds, D features, Q components, K clusters.
"""

from collections.abc import Sequence
import pathlib
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from heterojax import rng
from heterojax.backbones import Backbone
from heterojax.datasets.augmentation import IDENTITY
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.manifest import csv_text
from heterojax.datasets.sources import GivenFeatures
from heterojax.features import Features
from heterojax.features import Picture
from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.report import formatting
from heterojax.stats import metrics
from heterojax.stats import scores
from heterojax.stats.metrics import Classes
from heterojax.stats.scores import Score
from heterojax.studies import partition
from heterojax.studies import said
from heterojax.studies import stages
from heterojax.studies.retraining import clustering
from heterojax.studies.retraining import external_data
from heterojax.studies.retraining.external_records import Difference
from heterojax.studies.retraining.external_records import External
from heterojax.studies.retraining.external_records import ExternalCluster
from heterojax.studies.retraining.external_records import Shift
from heterojax.studies.retraining.outcome import HeadName
from heterojax.studies.retraining.outcome import Outcome
from heterojax.studies.samples import Samples
from heterojax.studies.samples import counts_of_classes
from heterojax.studies.samples import numbered
from heterojax.studies.settings import Settings
from heterojax.verdict import two_samples

_OVERALL = HeadName('overall')
_ALPHA = 0.05
# Of the images; where fewer can be compared the sentence says so.
_FEW = 0.5
_ROWS = 256  # Whose distances are computed at once.


class Answered(NamedTuple):
  """The images as the network and the heads see them.

  Attributes:
    x: `[E, D]` features.
    logits: `[H, E]` float64, or `[H, E, C]`.
  """

  x: np.ndarray
  logits: np.ndarray


class Second(NamedTuple):
  """The second data set among the clusters and heads.

  Attributes:
    y: `[E]` int, 1 for the disease.
    units: `[E]` int, equal for images of one patient.
    z: `[E, Q]`.
    labels: `[E]` int.
    distance: `[E]` float64, to its centroid.
    logits: of the head of all images, `[E]` float64, or `[E, C]`.
    own: K, of each cluster's head; None where a fold has none.
  """

  y: np.ndarray
  units: np.ndarray
  z: np.ndarray
  labels: np.ndarray
  distance: np.ndarray
  logits: np.ndarray
  own: tuple[np.ndarray | None, ...]


def extract(
  settings: Settings,
  run: pathlib.Path,
  cohort: Cohort,
  backbone: Backbone | None,
  pictures: int,
) -> Features:
  """Features of the second data set, by the program of the first one.

  Args:
    settings: of the study.
    run: the run folder; they are kept in `features/external`.
    cohort: the second data set.
    backbone: see `stages.load_backbone`.
    pictures: of the first data set.

  Returns:
    The features.
  """
  shown = [Picture(c.path, IDENTITY) for c in cohort.included]
  distinct = list(dict.fromkeys(shown))
  found = stages.extract(
    settings, backbone, distinct, [cohort], run, 'features/external', pictures
  )
  stages.check_finite(found.x, distinct)
  if len(distinct) == len(shown):
    return found
  row = {picture: i for i, picture in enumerate(distinct)}
  return found._replace(x=found.x[[row[picture] for picture in shown]])


def find(
  settings: Settings,
  cohorts: Sequence[Cohort],
  outcome: Outcome,
  answered: Answered,
) -> Second:
  """Gives each image a cluster, and the answer of each head.

  Args:
    settings: of the study.
    cohorts: of all folds, with the second data set.
    outcome: of the study.
    answered: of the second data set.

  Returns:
    What was found.
  """
  cohort, first = cohorts[0].external, outcome.folds[0]
  assert cohort is not None
  z = clustering.coordinates(
    settings.reduction, outcome.x, first.samples, jnp.asarray(answered.x)
  )
  distances = _distances(z, first.clusters.centers)
  labels = np.argmin(distances, axis=1)
  if partition.column(settings.cluster):
    placed = partition.place(settings.cluster, cohorts, cohort)
    labels = np.array([int(placed[c.id]) for c in cohort.included])
  ends = np.cumsum([len(fold.heads) for fold in outcome.folds])[:-1]
  by_fold = [
    dict(zip(fold.heads, logits, strict=True))
    for fold, logits in zip(
      outcome.folds, np.split(answered.logits, ends), strict=True
    )
  ]

  def mean(name: HeadName) -> np.ndarray | None:
    known = [heads[name] for heads in by_fold if name in heads]
    return np.mean(known, axis=0) if len(known) == len(by_fold) else None

  overall = mean(_OVERALL)
  assert overall is not None
  return Second(
    y=np.array([cohort.codes[c.label] for c in cohort.included]),
    units=numbered([c.unit for c in cohort.included]),
    z=z,
    labels=labels,
    distance=distances[np.arange(len(z)), labels],
    logits=overall,
    own=tuple(mean(HeadName('cluster', c)) for c in range(settings.cluster.k)),
  )


def _distances(z: np.ndarray, centers: np.ndarray) -> np.ndarray:
  """`[E, K]` float64 of images to centroids."""
  distances = np.empty((len(z), len(centers)))
  for start in range(0, len(z), _ROWS):
    rows = slice(start, start + _ROWS)
    own = np.asarray(z[rows], np.float64)
    for c, center in enumerate(np.asarray(centers, np.float64)):
      distances[rows, c] = np.linalg.norm(own - center, axis=1)
  return distances


def describe(
  settings: Settings,
  cohorts: Sequence[Cohort],
  outcome: Outcome,
  found: Second,
) -> External:
  """The record of the second data set; for arguments see `find`."""
  cohort, first = cohorts[0].external, outcome.folds[0]
  assert cohort is not None
  classes = Classes(cohort.classes, settings.data.ordered)
  samples, of_first = first.samples, first.clusters
  train = samples.of('train')
  train = train[samples.is_original[train]]
  test, kept = _compared(cohorts, first.samples)
  every, clusters = np.arange(len(found.y)), []
  for c, own in enumerate(found.own):
    inside = found.labels == c
    clusters.append(
      ExternalCluster(
        id=c,
        n=int(np.sum(inside)),
        n_test=int(np.sum(of_first.labels[test] == c)),
        class_counts=counts_of_classes(found.y[inside], cohort.classes),
        distance=_mean(found.distance[inside]),
        distance_train=_mean(
          of_first.distance[train[of_first.labels[train] == c]]
        ),
        distance_test=_mean(
          of_first.distance[test[of_first.labels[test] == c]]
        ),
        overall=_score(found, found.logits, inside, classes),
        retrained=_score(found, own, inside, classes),
      )
    )
  shift = _shift(settings, cohort, outcome, found, test, kept)
  name = cohort.name
  if name == cohorts[0].name:
    name = 'the second data set'
  patients = any(c.group for c in cohort.included)
  given = isinstance(outcome.source, GivenFeatures)
  return External(
    name=cohort.name,
    sentence=_sentence(
      shift,
      name,
      'sample' if given else 'image',
      int(np.sum(kept)),
      patients=patients,
    ),
    n_candidates=len(cohort.candidates),
    n=len(found.y),
    class_counts=counts_of_classes(found.y, cohort.classes),
    notes=tuple(cohort.notes),
    overall=_score(found, found.logits, every, classes),
    retrained=tuple(_score(found, own, every, classes) for own in found.own),
    clusters=tuple(clusters),
    shift=shift,
  )


def _compared(
  cohorts: Sequence[Cohort], samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
  """What is compared: positions of test images, and `[E]` bool.

  An image of both data sets is of neither, and a patient who has one has not
  all of his images left.
  """
  second = cohorts[0].external
  assert second is not None
  test = samples.of('test')
  both = external_data.shared(cohorts, [second])
  of_second = external_data.shared([second], cohorts)
  units = samples.units(test)
  lost = {u for u, i in zip(units, test, strict=True) if samples.ids[i] in both}
  others = {c.unit for c in second.candidates if c.id in of_second}
  kept = np.array([c.unit not in others for c in second.included])
  rest = test[[u not in lost for u in units]]
  if not len(rest) or not kept.any():
    return test, np.ones_like(kept)
  return rest, kept


def _why_not(settings: Settings, samples: Samples, cohort: Cohort) -> str:
  """Why a p-value would not be exact; '' where it is."""
  if settings.split.protocol == 'published':
    return (
      'with protocol=published copies of an image and images of one patient are'
      ' in several parts'
    )
  known = any(samples.groups), any(c.group for c in cohort.included)
  if known[0] != known[1]:
    which = 'second' if known[0] else 'first'
    return (
      f'the {which} data set names no patients, and images of one patient are'
      ' alike'
    )
  return ''


def _sentence(
  shift: Shift, name: str, one: str, n: int, *, patients: bool
) -> str:
  """What was tested of the `n` images, and no more."""
  if (p := codec.known(shift.p_value)) is None:
    return (
      f'Whether the {one}s of {name} lie as the test {one}s of the first data'
      f' set was not tested: {codec.why(shift.p_value)}.'
    )
  given = 'within each class'
  if not patients:
    given += f', if every {one} is of another patient'
  if shift.moved < _FEW:
    given += (
      f', of the {formatting.percent(shift.moved, 0)} that can be compared'
    )
  within = f'({given}; {formatting.p_equals(p)})'
  if p <= _ALPHA:
    return (
      f'The {n:,} {one}s of {name} do not lie as the test {one}s of the first'
      f' data set do {within}.'
    )
  return (
    f'No sign that the {n:,} {one}s of {name} lie otherwise than the test'
    f' {one}s of the first data set {within}; that is no evidence that they lie'
    ' alike.'
  )


def _mean(distances: np.ndarray) -> Estimate:
  if not len(distances):
    return Missing('none of these images is in this cluster')
  return float(np.mean(distances))


def _score(
  found: Second,
  logits: np.ndarray | None,
  rows: np.ndarray,
  classes: Classes,
) -> Score:
  """How a head does on some images of the second data set."""
  if logits is None:
    return scores.unscored('this cluster has no head in every fold', classes)
  return scores.score_of(
    found.y[rows], logits[rows], classes, found.units[rows]
  )


def _shift(
  settings: Settings,
  cohort: Cohort,
  outcome: Outcome,
  found: Second,
  test: np.ndarray,
  kept: np.ndarray,
) -> Shift:
  """The comparison with test images of the first fold; see `_compared`."""
  first = outcome.folds[0]
  units = first.samples.units(test)
  # Patients of two data sets are others, whatever they are called.
  others = numbered(found.units[kept].tolist()) + 1 + units.max()
  compared = two_samples.compare(
    np.concatenate([first.clusters.z[test], found.z[kept]]),
    np.concatenate([first.clusters.labels[test], found.labels[kept]]),
    np.concatenate([first.samples.y[test], found.y[kept]]),
    np.arange(len(test) + len(others)) >= len(test),
    np.concatenate([units, others]),
    rng.key(settings.seed, rng.Purpose.EXTERNAL),
    settings.verdict.exchanges,
  )
  if why := _why_not(settings, first.samples, cohort):
    compared = two_samples.untested(compared, why)
  return Shift(
    n_test=len(test),
    unit=compared.unit,
    moved=compared.moved,
    p_value=codec.estimate(compared.p_value, compared.why),
    clusters=_difference(compared.clusters, compared.why),
    space=_difference(compared.space, compared.why),
  )


def _difference(found: two_samples.Difference, why: str) -> Difference:
  why = why or 'no unit that was compared can change its place'
  return Difference(
    n=found.n,
    statistic=found.statistic,
    p_value=codec.estimate(found.p_value, why),
    adjusted=codec.estimate(found.adjusted, why),
    draws=found.draws,
    enumerated=found.enumerated,
  )


def external_csv(cohort: Cohort, found: Second) -> str:
  """`external.csv`: every candidate, as the head of all images sees it."""
  second = cohort.external
  assert second is not None
  names = second.classes
  of_head = list(
    said.cells(
      metrics.probabilities(found.logits, len(names)),
      metrics.answered(found.logits, len(names)),
      found.y,
      names,
    )
  )
  heads = said.header(names)
  rows, position = [], 0
  for c in second.candidates:
    row: list[object] = [c.id, c.path, c.label, c.group]
    row += [str(c.included).lower(), c.reason]
    if c.included:
      row += [
        int(found.labels[position]),
        float(found.distance[position]),
        *of_head[position],
      ]
      position += 1
    else:
      row += [''] * (2 + len(heads))
    rows.append(row)
  header = ['id', 'path', 'label', 'group', 'included', 'reason']
  header += ['cluster', 'distance', *heads]
  return csv_text(header, rows)
