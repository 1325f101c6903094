"""A study of some of the candidates: those whose columns have given values."""

from collections.abc import Sequence
import dataclasses

from heterojax.datasets.classes import composed
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError

_OPTION = '--config.data.where'
_MOST_VALUES = 10


def restrict(cohort: Cohort, where: str) -> Cohort:
  """Leaves out who has another value in a column.

  Args:
    cohort: all candidates.
    where: `column=value`, several of them joined by `&`; '' keeps all. Blanks
      around names and values do not count.

  Returns:
    The cohort with the others left out, each with that reason.

  Raises:
    UserError: if it is written in another way, there is no such column, or no
      candidate has the value.
  """
  conditions = [part for part in where.split('&') if where.strip()]
  for condition in conditions:
    column, equals, value = (part.strip() for part in condition.partition('='))
    if not column or not equals:
      raise UserError(
        f'{_OPTION} is {where!r}, but must be COLUMN=VALUE, or several of'
        ' them joined by &.'
      )
    cohort = _restrict(cohort, column, value)
  return cohort


def _restrict(cohort: Cohort, column: str, value: str) -> Cohort:
  cells = [dict(c.columns).get(column) for c in cohort.candidates]
  require_column(cohort, column, _OPTION)
  cells = [None if cell is None else composed(cell) for cell in cells]
  value = composed(value)
  if value not in cells:
    raise UserError(
      f'No image of {cohort.source.name} has {column}={value} ({_OPTION}):'
      f' the values are {_shown(cells)}.'
    )
  candidates = tuple(
    _kept(c, cell == value, f'{column} is not {value!r}')
    for c, cell in zip(cohort.candidates, cells, strict=True)
  )
  return dataclasses.replace(cohort, candidates=candidates)


def require_column(cohort: Cohort, column: str, option: str) -> None:
  """Raises a UserError where no candidate has a column that an option names."""
  names = dict.fromkeys(k for c in cohort.candidates for k, _ in c.columns)
  if column not in names:
    has = f'has {", ".join(names)}' if names else 'has no columns of its own'
    raise UserError(
      f'There is no column {column!r} ({option}): {cohort.source.name} {has}.'
    )


def _kept(candidate: Candidate, is_kept: bool, reason: str) -> Candidate:
  if is_kept or not candidate.included:
    return candidate
  return candidate.left_out(reason)


def _shown(cells: Sequence[str | None]) -> str:
  values = sorted({cell or "''" for cell in cells})
  more = ', ...' if len(values) > _MOST_VALUES else ''
  return ', '.join(values[:_MOST_VALUES]) + more
