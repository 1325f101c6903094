"""Which numbers cannot be expected to agree with the paper's, and why."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from heterojax.comparison import runs as runs_lib
from heterojax.comparison.runs import Group
from heterojax.comparison.runs import Run
from heterojax.records import codec
from heterojax.report import formatting
from heterojax.report.terms import INFERRED
from heterojax.report.terms import OUR_CHOICE
from heterojax.studies.pages import heads as head_words
from heterojax.studies.pages import leaks
from heterojax.studies.pages import network as network_lib
from heterojax.studies.records import Network
from heterojax.studies.retraining.pages import deviations
from heterojax.studies.retraining.pages.page import shared_of
from heterojax.studies.retraining.records import Published
from heterojax.studies.retraining.records import PublishedReduction
from heterojax.studies.retraining.records import Reduction

_SIZES = {
  'train': 'for training',
  'train_augmented': 'for training with augmented copies',
  'test': 'for testing',
}


class Reason(NamedTuple):
  """Why some numbers differ.

  Attributes:
    numbers: which.
    why: one or two sentences.
    mark: [inferred], [our choice] or ''.
  """

  numbers: str
  why: str
  mark: str = ''


def cannot_agree(group: Group, by_members: bool) -> list[Reason]:
  """All reasons that apply to a group of runs.

  Args:
    group: the runs.
    by_members: whether clusters are matched by the images that they share.
  """
  found = []
  if paper := group.published:
    found += _by_label(group, lambda run: _of_run(paper, run))
    found += _always(group)
  found += _by_label(group, lambda run: _shared_images(group, run))
  matched_to = 'the paper’s' if group.published else 'those of the first run'
  by = f'their {_mix(group)} and their share of all training images'
  if by_members:
    by = 'the images that they share'
  return [
    *found,
    Reason(
      'Cluster numbers',
      'They are arbitrary. Clusters are matched to'
      f' {matched_to} one to one by {by}; the cost of a match says how good it'
      ' is.',
      OUR_CHOICE,
    ),
  ]


def _mix(group: Group) -> str:
  first, *others = group.classes.names
  return f'share of {first}' if len(others) == 1 else 'shares of the classes'


def _by_label(
  group: Group, reasons_of: Callable[[Run], Iterator[Reason]]
) -> list[Reason]:
  """Each reason once, behind the labels of the runs that it applies to."""
  labels: dict[Reason, list[str]] = {}
  for run in group.runs:
    for reason in reasons_of(run):
      labels.setdefault(reason, []).append(run.label)
  return [
    reason._replace(
      why=f'{formatting.capital(formatting.listed(of))}: {reason.why}'
    )
    for reason, of in labels.items()
  ]


def _of_run(paper: Published, run: Run) -> Iterator[Reason]:
  """What a run's own settings and counts explain."""
  results = run.results
  backbone, reduction, d = results.backbone, results.reduction, results.dataset
  weights = (backbone.name, backbone.source)
  if weights == ('efficientnet_b0', 'tfhub'):
    yield Reason(
      'All',
      f'{network(backbone)}; the paper used those of Keras, which are taken to'
      ' be the same numbers with batch norms of their own.',
      INFERRED,
    )
  elif weights != ('efficientnet_b0', 'keras_imagenet'):
    yield Reason(
      'All',
      f'{network(backbone)}; the paper used EfficientNet-B0 with the ImageNet'
      ' weights of Keras.',
      OUR_CHOICE,
    )
  if backbone.feature == 'flatten':
    yield Reason(
      'Clusters and distances',
      f'features are {network_lib.feature(backbone)}, which is how the paper’s'
      ' “second last layer” is read.',
      INFERRED,
    )
  elif backbone.feature == 'avg':
    yield Reason(
      'Clusters and distances',
      f'features are {network_lib.feature(backbone)}; the paper’s distances'
      ' are rather those of the whole map.',
      OUR_CHOICE,
    )
  if _reduction(reduction) != _reduction(paper.reduction):
    yield Reason(
      'Clusters and distances',
      f'{_reduced(reduction)} clustered; in the paper,'
      f' {_reduced(paper.reduction)}.',
      OUR_CHOICE,
    )
  if (k := len(results.clusters)) != len(paper.clusters):
    yield Reason(
      'Everything about clusters',
      f'{k} clusters; the paper has {len(paper.clusters)}.',
      OUR_CHOICE,
    )
  if results.heads:
    yield Reason(
      'Every metric', head_words.deviation(results.heads), OUR_CHOICE
    )
  if results.fair_sets and results.protocol == 'clean':
    yield Reason(
      'Random heads',
      f'they saw as many distinct {backbone.unit}s as their cluster, from as'
      ' many patients where these are known; the paper drew rows.',
      OUR_CHOICE,
    )
  sizes = {
    what: (d.parts[part].n, paper.dataset.parts[part].n)
    for part, what in _SIZES.items()
  }
  different = [
    f'{formatting.number(here)} instead of {there:,} {what}'
    for what, (here, there) in sizes.items()
    if here != there
  ]
  if different:
    yield Reason(
      'Sizes, class mixes and every metric',
      f'{formatting.listed(different)}. {_why_others(run)}',
    )
  if d.notes:
    yield Reason('Which data there are', ' '.join(d.notes))


def network(backbone: Network) -> str:
  """Where the features come from, in words."""
  if backbone.given:
    return 'features that were given ready'
  return f'{network_lib.title(backbone)} with {network_lib.weights(backbone)}'


def features(backbone: Network) -> str:
  """Network and features, in words."""
  if backbone.given:
    return network(backbone)
  return f'{network(backbone)}; {network_lib.feature(backbone)}'


def _reduction(r: Reduction | PublishedReduction) -> tuple[str, float | None]:
  return r.method, codec.known(r.n_components)


def _reduced(r: Reduction | PublishedReduction) -> str:
  if r.method == 'none':
    return 'the features as they are were'
  return f'{codec.known(r.n_components):g} principal components were'


def _why_others(run: Run) -> str:
  text = (
    'The published protocol takes the rows of the data set as it is here,'
    ' but for files that are missing or unreadable'
  )
  if run.results.protocol == 'clean':
    held_out = formatting.number(run.results.dataset.n_validation)
    text = (
      'The clean protocol takes every distinct image once, keeps no group in'
      f' two parts, and has {held_out} images for validation'
    )
  if (folds := runs_lib.folds(run.results)) > 1:
    text += f'; with {folds} folds every image is tested once'
  return f'{text}: manifest.csv names what was left out.'


def _shared_images(group: Group, run: Run) -> Iterator[Reason]:
  """What a leak does to the metrics."""
  if sentences := leaks.sentences(shared_of(run.results)):
    text, mark = ' '.join(sentences), ''
    if group.published and run.results.protocol == 'published':
      text += ' The paper’s own split of rows presumably did the same.'
      mark = INFERRED
    yield Reason('Metrics, which this makes too high', text, mark)


def _always(group: Group) -> Iterator[Reason]:
  """What the paper leaves open."""
  datasets = [run.results.dataset for run in group.runs]
  negative = group.classes.names[-1]
  yield Reason(
    'All',
    f'Which images of the class {negative} the paper drew, its split'
    ' and its seeds are unknown; here the seed of a run decides.',
    OUR_CHOICE,
  )
  if any(d.n_train_augmented > d.n_train for d in datasets):
    yield Reason(
      'All but the counts',
      'The paper does not say of which kind its augmented copies are; ours'
      f' are {deviations.COPIES}.',
      OUR_CHOICE,
    )
  if not all(run.results.heads for run in group.runs):
    yield Reason(
      'Every metric',
      'The paper’s early stopping looked at its test set, as the published'
      ' protocol does; the clean one has a validation part.',
      INFERRED,
    )
  yield Reason(
    'Ranges of the random heads',
    'The paper prints the mean of five runs and no spread; for ours the'
    ' minimum and the maximum are given.',
  )


def of_protocols(clean: Run, published: Run) -> str:
  """How to read the difference of two runs."""
  settings = _settings(clean), _settings(published)
  different = [
    f'{name} ({ours} and {other})'
    for name, ours in settings[0].items()
    if ours != (other := settings[1][name])
  ]
  text = (
    f'{formatting.capital(clean.label)} minus {published.label}:'
    ' whether two intervals'
    ' overlap is no test, and the two test sets differ, so that the'
    ' difference is measured but not attributed.'
  )
  if different:
    text += f' The runs also differ in {formatting.listed(different)}.'
  return text


def _settings(run: Run) -> dict[str, str]:
  results = run.results
  return {
    'data set': results.dataset.name,
    'features': features(results.backbone),
    'reduction': _reduced(results.reduction).rsplit(' ', 1)[0],
    'number of clusters': str(len(results.clusters)),
    'number of folds': str(runs_lib.folds(results)),
    'seed': str(results.seed),
  }
