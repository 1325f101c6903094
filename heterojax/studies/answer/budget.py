"""How many draws of the tests `verdict.seconds` allows.

It is planned by operations, as on two cores of the year 2025, and never by a
clock: p-values must not hang on the machine.
"""

from heterojax.heads import optimum
from heterojax.studies.answer import measure
from heterojax.studies.answer.measure import Draws
from heterojax.studies.settings import Verdict
from heterojax.verdict import one_vs_rest
from heterojax.verdict import rule as rules

# Operations in a second.
_SPEED = 1e10
# With fewer draws no p-value of three is below 0.05; of more, so many more that
# one over their number plus one divides 0.05.
_LEAST, _STEP = 59, 20
# Of the method of conjugate directions, and of Newton's.
_STEPS, _FACTORS = 20, 5
_FOR_A_HEAD = 1e6


def within(
  verdict: Verdict, n: int, width: int, folds: int, k: int, classes: int = 2
) -> Draws | str:
  """The draws of a study.

  Args:
    verdict: its settings.
    n: original images.
    width: features.
    folds: of the study; 0 for one split.
    k: clusters.
    classes: each of more than two has heads of its own.

  Returns:
    As many as the settings name, or fewer; or why none can be made in time.
  """
  asked = Draws(verdict.worlds, verdict.partitions, verdict.exchanges)
  if not verdict.seconds:
    return asked
  of_each = one_vs_rest.heads(classes)
  none = asked._replace(worlds=0, partitions=0)
  fixed = of_each * _seconds(none, n, width, folds, k)
  whole = of_each * _seconds(asked, n, width, folds, k)
  if whole <= verdict.seconds:
    return asked
  share = (verdict.seconds - fixed) / (whole - fixed)
  worlds, partitions = (
    _STEP * int((share * number + 1) / _STEP) - 1
    for number in (asked.worlds, asked.partitions)
  )
  if min(worlds, partitions) < min(asked.worlds, asked.partitions, _LEAST):
    return (
      f'{asked.worlds} worlds of {n:,} images would take about'
      f' {whole / 60:,.0f} minutes, and {_LEAST} at least are needed; allow'
      f' more than --config.verdict.seconds={verdict.seconds}, or 0 for no'
      ' limit'
    )
  return asked._replace(worlds=worlds, partitions=partitions)


def operations(
  draws: Draws, n: int, width: int, folds: int, k: int, classes: int = 2
) -> float:
  """Those that draws are planned by; see `within`."""
  return (
    one_vs_rest.heads(classes) * _SPEED * _seconds(draws, n, width, folds, k)
  )


def exchanges_alone(verdict: Verdict) -> Draws:
  """The draws of a study whose heads are not refitted."""
  return Draws(0, 0, verdict.exchanges)


def _seconds(draws: Draws, n: int, width: int, folds: int, k: int) -> float:
  """What they take, as planned."""
  width = min(width, n if n <= measure.MANY else measure.COMPONENTS)
  parts = folds or optimum.FOLDS
  train = n * (parts - 1) / parts
  of_all = _STEPS * (4 * train * width + 2 * width**2) + train * width**2 / 8
  m = train / k
  of_set = _FACTORS * m * min(m, width) ** 2 + _FOR_A_HEAD
  rule = rules.labellings(n) * of_all
  each = of_all + 2 * k * of_set
  sets = k * draws.partitions * of_set
  return parts * (rule + draws.worlds * each + sets) / _SPEED
