"""Heads of more than two classes, one for each class against the rest.

The tests refit thousands of heads. Those of two classes share factors and
inner products (`labellings`, `logistic.Gram`), and so do those of one class
against the rest, which softmax heads would not. The class whose head gives the
largest logit is the answer (Rifkin and Klautau 2004; scikit-learn's
`OneVsRestClassifier`).

Axes: C classes, N images.
"""

from collections.abc import Callable

import numpy as np


def against_rest(y: np.ndarray, classes: int) -> np.ndarray:
  """`[C, ...]` int64, where a label `[...]` is that of each class."""
  codes = np.arange(classes).reshape(-1, *(1,) * y.ndim)
  return (y[np.newaxis] == codes).astype(np.int64)


def logits(
  fitted: Callable[[np.ndarray], np.ndarray], y: np.ndarray, classes: int
) -> np.ndarray:
  """What the heads of labellings of any number of classes give.

  Args:
    fitted: from labels `[V, N]` of 0 and 1 to logits `[V, ..., N]`.
    y: `[W, N]` labels.
    classes: C.

  Returns:
    `[W, ..., N]` of two classes, of more `[W, ..., N, C]`.
  """
  if classes == 2:
    return fitted(y)
  every = against_rest(y, classes).reshape(-1, y.shape[1])
  found = fitted(every)
  return np.moveaxis(found.reshape(classes, len(y), *found.shape[1:]), 0, -1)


def answers(found: np.ndarray, classes: int) -> np.ndarray:
  """`[...]` int codes of what `logits` found `[...]`, or `[..., C]`."""
  if classes == 2:
    return (found > 0).astype(int)
  return np.argmax(found, axis=-1)


def heads(classes: int) -> int:
  """How many heads give one answer."""
  return classes if classes > 2 else 1
