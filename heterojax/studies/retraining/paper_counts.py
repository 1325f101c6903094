"""What the counts of a paper's tables can show about its clusters.

The table of accuracies in test clusters has no sizes; they are computed from
what is printed. That of retrained heads has a mean over few random heads, which
bounds how small a p-value can be.
"""

from collections.abc import Sequence
import dataclasses

from heterojax.records.codec import Interval
from heterojax.records.codec import Missing
from heterojax.studies.records import Counts
from heterojax.verdict import published
from heterojax.verdict import reconstruction
from heterojax.verdict import records as verdict_records


@dataclasses.dataclass(frozen=True)
class Reconstruction:
  """Sizes of test clusters that give what is printed, and the exact test."""

  sizes: tuple[int, ...]
  errors: tuple[int, ...]
  p_value: float


@dataclasses.dataclass(frozen=True)
class SameMix:
  """Heads of random images of a published cluster's class mix, in a run.

  The mix is scaled to the training images of the run. The accuracy is the mean
  over the heads, on all test images; the interval has the middle 95 % of them.
  """

  id: int
  class_counts: Counts
  heads: int
  accuracy: float
  interval: Interval


@dataclasses.dataclass(frozen=True)
class PaperCounts:
  """What the published counts can show.

  The p-value is the least and the largest of all reconstructions. The least
  p-values are what a retrained head can have that all random ones outdo.
  """

  n_test: int
  reconstructions: tuple[Reconstruction, ...]
  p_value: Interval | Missing
  misprinted: tuple[int, ...]
  random_runs: int
  least_p_value: float
  least_adjusted_p_value: float
  same_mix: tuple[SameMix, ...] | Missing


def paper_counts(
  accuracies: Sequence[float], overall: float, n_test: int, random_runs: int
) -> PaperCounts:
  """What the tables of one data set can show, without any run.

  Args:
    accuracies: K, of the overall head in test clusters, as printed.
    overall: its accuracy on all test images, as printed.
    n_test: test images.
    random_runs: random heads per cluster.

  Returns:
    The p-values, Holm's among them of as many training clusters.
  """
  found = reconstruction.reconstruct(accuracies, overall, n_test)
  rows = tuple(
    Reconstruction(*counts, published.exact(*counts).p_value)
    for counts in found.counts
  )
  p_values = [row.p_value for row in rows]
  least = 1 / (random_runs + 1)
  adjusted = verdict_records.holm([least] * len(accuracies))[0]
  assert adjusted is not None
  return PaperCounts(
    n_test=n_test,
    reconstructions=rows,
    p_value=(min(p_values), max(p_values))
    if rows
    else Missing('no sizes give the accuracies that are printed'),
    misprinted=found.misprinted,
    random_runs=random_runs,
    least_p_value=least,
    least_adjusted_p_value=adjusted,
    same_mix=Missing('no run is beside it'),
  )
