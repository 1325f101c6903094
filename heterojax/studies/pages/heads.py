"""Logistic heads, in words."""

from heterojax.heads.optimum import FOLDS
from heterojax.studies.records import Heads

NO_EARLY_STOPPING = (
  'Heads are at their optimum: nothing stops early, and nothing but the'
  ' training part is looked at before the end.'
)


def penalty(heads: Heads, unit: str) -> str:
  """C, as 'C = 0.1 to 1, chosen by ...'."""
  low, high = min(heads.c), max(heads.c)
  text = f'C = {low:g}' + (f' to {high:g}' if high > low else '')
  if not heads.c_chosen:
    return text
  return (
    f'{text}, chosen by {FOLDS}-fold cross-validation of the head of all'
    f' training {unit}s, by patient where patients are known'
  )


def scale(heads: Heads, unit: str) -> str:
  """How features were brought to one scale, a clause."""
  if heads.standardised:
    return f'features standardised by the training {unit}s'
  return (
    'features divided by one number, the root of their mean variance over the'
    f' training {unit}s'
  )


def title(heads: Heads, unit: str) -> str:
  """All of them in a table: 'logistic regressions at their optimum, ...'."""
  text = (
    'logistic regressions at their optimum (L2 penalty), without epochs or'
    f' initial weights; {penalty(heads, unit)}; {scale(heads, unit)}'
  )
  if heads.not_converged:
    text += f'; {heads.not_converged} did not converge'
  return text


def sentence(heads: Heads, unit: str) -> str:
  """For a methods section."""
  return (
    'Heads were logistic regressions with an L2 penalty and a free intercept,'
    f' fitted to their optimum ({penalty(heads, unit)}), with'
    f' {scale(heads, unit)}.'
  )


def deviation(heads: Heads) -> str:
  """Where they are not the heads of a paper."""
  chosen = 'and C is chosen by cross-validation'
  if not heads.c_chosen:
    chosen = 'and C is given'
  return (
    'Heads are penalised logistic regressions at their optimum,'
    f' {chosen}; nothing stops early. The paper trained until a validation set'
    ' told it to stop.'
  )


def kernel_penalty(l2: float) -> str:
  """What was added to the loss of heads that stop early; '' if nothing."""
  return f'; {l2:g} times the squared kernel in the loss' if l2 else ''
