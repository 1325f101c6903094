"""What a head says of each image, as columns of a CSV file."""

from collections.abc import Iterator, Sequence

import numpy as np


def header(classes: Sequence[str]) -> list[str]:
  """Names of the columns.

  Args:
    classes: C, in the order of the study. Of two there is one probability, that
      of the disease.
  """
  if len(classes) == 2:
    return ['probability', 'correct']
  return [*(f'probability_{name}' for name in classes), 'answer', 'correct']


def cells(
  probabilities: np.ndarray,
  answers: np.ndarray,
  y: np.ndarray,
  classes: Sequence[str],
) -> Iterator[list[object]]:
  """Their cells, a list an image.

  Args:
    probabilities: `[N]` of the disease, or `[N, C]` by code.
    answers: `[N]` int, codes.
    y: `[N]` int, those that are right.
    classes: C.
  """
  # Codes are counted from the last class.
  values = np.asarray(probabilities, float).reshape(len(y), -1)[:, ::-1]
  for own, answer, right in zip(values, answers, y, strict=True):
    named = [classes[-1 - answer]] if len(classes) > 2 else []
    yield [*own.tolist(), *named, str(bool(answer == right)).lower()]
