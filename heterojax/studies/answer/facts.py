"""What an answer needs to know of a study, whichever study it is.

Lengths: K clusters.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from heterojax.records import codec
from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.records.codec import Number
from heterojax.records.codec import Partly
from heterojax.report.formatting import capital
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies.answer.records import Tested
from heterojax.studies.records import Leaks
from heterojax.studies.records import Network
from heterojax.studies.records import Shortcut

# A test image of one of these kinds is in training as well.
_COPIES = ('same_path', 'identical_file', 'identical_pixels')
PerClass = tuple[Number, ...]  # Of each class, in the order of the study.


class Baseline(NamedTuple):
  """Always answering the mean, beside a regression.

  Attributes:
    one_minus_nrmse: of it.
    spared: 95 % interval over patients of the share of its squared errors that
      the model does not make; from minus infinity where too few tell.
  """

  one_minus_nrmse: float
  spared: Interval


class Facts(NamedTuple):
  """A study beside its tests.

  Attributes:
    score: of the head of all images, over all test images.
    baseline: of always answering the mean, of a regression; None for classes.
    classes: of two that of the disease first; () where labels are numbers.
    test_counts: K, test images of each class; () of a regression.
    train_counts: K, training images of each class; () of a regression.
    own: K, each cluster's head on the test images of its cluster; None where
      that is not known.
    protocol: clean or published.
    folds: how many there are; 0 where the data are split once.
    leaks: what the test images share with training.
    jaccard: K, how well bootstraps find each cluster again; None if unknown.
    shortcuts: the audited columns of the manifest.
    unit: what one sample is called: image or sample.
    tested: K, the images that refitted heads are tested on, once that is known.
    groups: which group each cluster is, as a sentence; '' of an algorithm's.
    suspicion: that patients seem to be in the names of files, see
      `patients.suspected`; '' if not.
    headings: name of a condition to the heading, or its end, of the section of
      the report about it.
    further: what would let a head learn more, see `further`.
  """

  score: Score | RegressionScore
  baseline: Baseline | None
  classes: tuple[str, ...]
  test_counts: tuple[PerClass, ...]
  train_counts: tuple[PerClass, ...]
  own: tuple[Score | None, ...]
  protocol: str
  folds: int
  leaks: Leaks
  jaccard: tuple[float | None, ...]
  shortcuts: tuple[Shortcut, ...]
  unit: str
  headings: Mapping[str, str]
  further: str
  tested: tuple[Tested, ...] = ()
  groups: str = ''
  suspicion: str = ''

  @property
  def k(self) -> int:
    """K."""
    return len(self.jaccard)

  def n(self, c: int) -> Number:
    """Images that refitted heads are tested on in a cluster; 0 if unknown."""
    known = codec.known(self.tested[c].n) if self.tested else None
    return known or 0

  @property
  def ranked(self) -> tuple[Number, ...]:
    """K, of the rarer class among these; () if unknown."""
    known = [codec.known(tested.rarer) for tested in self.tested]
    return tuple(n for n in known if n is not None)

  @property
  def copies(self) -> int:
    """Test images that training has as well, whatever their name."""
    return max(map(self._shared, _COPIES))

  @property
  def near_duplicates(self) -> int | Missing:
    """Test images that look almost like one of training; or why unknown."""
    return self._known_or_why('near_duplicate')

  @property
  def of_shared_patients(self) -> int | Missing:
    """Test images of a patient that training has; or why that is not known."""
    return self._known_or_why('shared_group')

  def _known_or_why(self, kind: str) -> int | Missing:
    count = self._shared(kind)
    why = codec.why(self.leaks.get(kind, Missing('not looked for')))
    return Missing(why) if why and not count else count

  def _shared(self, kind: str) -> int:
    count = self.leaks.get(kind)
    return sum(count.value.values()) if isinstance(count, Partly) else 0

  def has_learned(self, c: int) -> bool:
    """Whether a cluster's head ranks the test images of its own cluster.

    A head that is not shown to is no evidence of anything. One whose AUC is not
    known, as there are not images of every class, is given the benefit of the
    doubt: its gain is compared with worlds anyway.
    """
    own = self.own[c] if c < len(self.own) else None
    unknown = own is None or own.value(own.ranking) is None
    return unknown or self.has_shown(c)

  def has_shown(self, c: int) -> bool:
    """Whether it is known that a cluster's head ranks its own test images."""
    own = self.own[c] if c < len(self.own) else None
    return own is not None and ranks(own)


def further(
  network: Network, *, optimum: bool, numbers: bool, predictions: bool = False
) -> str:
  """What would let a head learn more, as a sentence with the fields to set.

  Args:
    network: of the features.
    optimum: whether heads are at their optimum.
    numbers: whether labels are such, for which there is no optimum.
    predictions: whether they were given, so that no head was trained.
  """
  if predictions:
    return 'Give other predictions.'
  ways = []
  if network.train == 'full':
    ways.append('train the network further (--config.fine_tuning.epochs)')
  elif not optimum:
    more = (
      '' if numbers else ' or to their optimum (--config.heads.kind=logistic)'
    )
    ways.append(f'train the heads further (--config.heads.epochs){more}')
  if network.given:
    ways.append('use other features')
  else:
    ways.append(
      'use other features (--config.backbone.name, --config.backbone.feature)'
    )
  return f'{capital(", or ".join(ways))}.'


def mean_jaccard(folds: Sequence[np.ndarray]) -> tuple[float | None, ...]:
  """Mean over the folds that have one, of `[K]` each with NaN for unknown."""
  every = np.stack(folds)
  known = np.isfinite(every)
  sums = np.where(known, every, 0).sum(axis=0)
  return tuple(
    float(total / n) if n else None
    for total, n in zip(sums, known.sum(axis=0), strict=True)
  )


def ranks(score: Score) -> bool:
  """Whether the interval of an AUC lies above that of chance."""
  ends = score.interval(score.ranking)
  return ends is not None and ends[0] > 0.5
