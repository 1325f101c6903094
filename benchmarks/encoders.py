"""How often an encoder is called better where none is.

python -m benchmarks.encoders [--sets=200]

Made-up data sets of two classes are seen by three encoders that are equally
good: with noise of their own (all, or a third of its variance), from another
side (a rotation, heads trained by Adam from random kernels), or the same with
other splits. A set counts where `heterojax.stats.paired` calls any encoder
better than another, adjusted for the three pairs. The second share is that of
DeLong's test alone, which takes the training set for the only one.
"""

from collections.abc import Callable
import itertools

from absl import app
from absl import flags
import numpy as np
from sklearn.linear_model import LogisticRegression

from heterojax.stats import inference
from heterojax.stats import paired
from heterojax.verdict import records

_SETS = flags.DEFINE_integer('sets', 200, 'Data sets of each kind.')
_ENCODERS, _FOLDS, _SIGNAL = 3, 5, 2.0
_KINDS = ('own noise', 'a third of own noise', 'rotated', 'other splits')
_NEVER = 1e12  # Training images, of which no other sample differs.

Scores = Callable[[np.ndarray], np.ndarray]


def claims(
  rng: np.random.Generator, n: int, d: int, kind: str, folds: bool
) -> tuple[bool, bool]:
  """Whether any encoder of a set is called better; and by DeLong's test.

  Args:
    rng: of the set.
    n: images.
    d: features.
    kind: of `_KINDS`.
    folds: whether all images are tested, or one of five.
  """
  y = rng.integers(0, 2, n)
  signal = np.zeros((n, d))
  signal[:, 0] = _SIGNAL * (y - 0.5)
  base, fold = signal + rng.normal(size=(n, d)), rng.permutation(n) % _FOLDS
  tested = []
  for _ in range(_ENCODERS):
    x, fit = base, _logistic
    if kind == 'own noise':
      x = signal + rng.normal(size=(n, d))
    elif kind == 'a third of own noise':
      x = base + np.sqrt(0.5) * rng.normal(size=(n, d))
    elif kind == 'rotated':
      rotation, _ = np.linalg.qr(rng.normal(size=(d, d)))
      x, fit = base @ rotation, _adam
    else:
      fold = rng.permutation(n) % _FOLDS
    scores = np.full(n, np.nan)
    for number in range(_FOLDS if folds else 1):
      test = fold == number
      scores[test] = fit(x[~test], y[~test], rng)(x[test])
    tested.append(scores)
  n_train = n * (1 - 1 / _FOLDS)
  return _any(y, tested, n_train), _any(y, tested, _NEVER)


def _any(y: np.ndarray, tested: list[np.ndarray], n_train: float) -> bool:
  p_values = []
  for a, b in itertools.combinations(tested, 2):
    both = np.isfinite(a) & np.isfinite(b)
    first, second = (paired.auc(y[both], of[both]) for of in (a, b))
    if first is None or second is None:
      continue
    units = np.arange(both.sum())
    found = paired.difference(first, second, y[both], units, n_train)
    p_values.append(found and found.p_value)
  return (
    min((p for p in records.holm(p_values) if p is not None), default=1) <= 0.05
  )


def _logistic(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Scores:
  del rng
  return LogisticRegression(C=0.1, max_iter=200).fit(x, y).decision_function


def _adam(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Scores:
  """Ten epochs of batches of eight, from a Glorot-normal kernel."""
  w = rng.normal(size=x.shape[1]) * np.sqrt(2 / (x.shape[1] + 1))
  bias, mean, square, step = 0.0, 0 * w, 0 * w, 0
  for _ in range(10):
    order = rng.permutation(len(y))
    for start in range(0, len(y), 8):
      rows, step = order[start : start + 8], step + 1
      error = 1 / (1 + np.exp(-(x[rows] @ w + bias))) - y[rows]
      gradient = x[rows].T @ error / len(rows)
      mean = 0.9 * mean + 0.1 * gradient
      square = 0.999 * square + 0.001 * gradient**2
      scale = np.sqrt(square / (1 - 0.999**step)) + 1e-7
      w = w - 1e-2 * mean / (1 - 0.9**step) / scale
  return lambda z: z @ w + bias


def main(argv: list[str]) -> None:
  del argv
  print('images features tested encoders claims (95 % interval) DeLong alone')
  for n, d, folds, kind in itertools.product(
    (200, 1000), (16, 200), (False, True), _KINDS
  ):
    rng = np.random.default_rng(0)
    found = [claims(rng, n, d, kind, folds) for _ in range(_SETS.value)]
    ours, plain = np.sum(found, axis=0)
    low, high = inference.wilson(int(ours), len(found))
    print(
      f'{n} {d} {"all" if folds else "a fifth"}; {kind}:'
      f' {ours / len(found):.3f} ({low:.3f} to {high:.3f})'
      f' {plain / len(found):.3f}',
      flush=True,
    )


if __name__ == '__main__':
  app.run(main)
