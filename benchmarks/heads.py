"""Heads on features that are in memory: many at once against one by one.

Ten epochs, batches of 8, Adam, no early stopping on either side; initial
weights and orders differ, so that heads are compared by their AUC.
"""

from collections.abc import Callable, Sequence
import functools
import os
from typing import Any

import numpy as np

from benchmarks import sides

_EPOCHS, _BATCH, _N = 10, 8, 1428
# The fundus study: all images, then four clusters and five random draws of the
# size of each.
_FUNDUS = (1428, *((42, 441, 274, 671) * 6))


def _problem(d: int, sizes: Sequence[int]) -> tuple[np.ndarray, ...]:
  """Features `[N, d]`, labels `[N]` and the rows of each head."""
  x = sides.like_features(_N, d)
  x -= x.mean(axis=0)
  rng = np.random.default_rng(1)
  w = rng.standard_normal(d).astype(np.float32)
  y = (x @ w > 0).astype(np.float32)
  return x, y, [rng.permutation(_N)[:size] for size in sizes]


def _aucs(y: np.ndarray, scores: np.ndarray) -> np.ndarray:
  from sklearn.metrics import roc_auc_score

  return np.array([roc_auc_score(y, s) for s in scores])


def _ours(scale: sides.Scale, *, d: int, sizes: Sequence[int]) -> sides.Side:
  del scale
  sides.start_ours()
  from heterojax import rng
  from heterojax.heads import ensemble
  import jax

  x, y, rows = _problem(d, sizes)
  members = [
      ensemble.Member(
          own,
          np.arange(208),
          rng.key(0, rng.Purpose.INITIALISATION, i),
          rng.key(0, rng.Purpose.ORDER, i),
      )
      for i, own in enumerate(rows)
  ]
  training = ensemble.Training(_EPOCHS, _EPOCHS, _BATCH, 1e-3)
  on_device = jax.numpy.asarray(x)

  first = []

  def run() -> sides.Result:
    trained = ensemble.train(on_device, y, members, training)
    if not first:  # Compared once, and not timed later.
      logits = ensemble.predict(trained.params, on_device)
      first.append({'auc': _aucs(y, np.asarray(logits[:25]))})
    return first[0]

  return sides.Side(run)


def _measured(
    scale: sides.Scale, sizes: Sequence[int]
) -> tuple[Sequence[int], float]:
  """The heads that a slow peer fits, and their share of all rows."""
  chosen = range(len(sizes)) if scale.full else range(1, 5)
  if len(sizes) > 100:
    chosen = range(20 if scale.full else 2)
  return chosen, sum(sizes[i] for i in chosen) / sum(sizes)


def _keras(
    scale: sides.Scale,
    *,
    d: int,
    sizes: Sequence[int],
    backend: str = 'tensorflow',
    traced: bool = False,
) -> sides.Side:
  """A model and a `fit` for every head, or only the `fit` of a traced one."""
  os.environ['KERAS_BACKEND'] = backend
  import keras

  x, y, rows = _problem(d, sizes)
  chosen, fraction = _measured(scale, sizes)

  def model() -> Any:
    own = keras.Sequential([
        keras.Input((d,)), keras.layers.Dense(1, activation='sigmoid')
    ])
    own.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
    return own

  def fit(own: Any, i: int, epochs: int) -> None:
    own.fit(
        x[rows[i]], y[rows[i]], batch_size=_BATCH, epochs=epochs, verbose=0
    )

  ready = {}
  if traced:
    ready = {i: model() for i in chosen}
    for i, own in ready.items():
      fit(own, i, 1)
  first = []

  def run() -> sides.Result:
    models = [ready.get(i) or model() for i in chosen]
    for i, own in zip(chosen, models, strict=True):
      fit(own, i, _EPOCHS)
    if not first:  # Compared once, and not timed later.
      scores = [np.ravel(own.predict(x, verbose=0)) for own in models]
      auc = _aucs(y, np.array(scores))
      first.append({'auc': auc, 'heads': np.array(chosen)})
    return first[0]

  return sides.Side(run, fraction)


def _sklearn(
    scale: sides.Scale, *, d: int, sizes: Sequence[int], solver: str
) -> sides.Side:
  from sklearn import linear_model

  x, y, rows = _problem(d, sizes)
  chosen, fraction = range(len(sizes)), 1.0
  if d > 10_000 or len(sizes) > 100:
    chosen, fraction = _measured(scale, sizes)

  def fitted(i: int) -> Any:
    if solver == 'LogisticRegression':
      own = linear_model.LogisticRegression()
    else:
      own = linear_model.SGDClassifier(
          loss='log_loss', max_iter=_EPOCHS, tol=None, random_state=0
      )
    return own.fit(x[rows[i]], y[rows[i]])

  first = []

  def run() -> sides.Result:
    models = [fitted(i) for i in chosen]
    if not first:
      scores = np.array([own.decision_function(x) for own in models[:25]])
      first.append({'auc': _aucs(y, scores), 'heads': np.array(chosen)[:25]})
    return first[0]

  return sides.Side(run, fraction)


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  number = min(len(ours['auc']), len(theirs['auc']))
  heads = theirs['heads'][:number]
  heads = heads[heads < len(ours['auc'])]
  gaps = np.abs(ours['auc'][heads] - theirs['auc'][: len(heads)])
  return {'largest_auc_gap': float(gaps.max())}


def _case(
    work: str, d: int, sizes: Sequence[int], turns: tuple[int, int] = (1, 5)
) -> sides.Case:
  makes: dict[str, Callable[..., sides.Side]] = {
      'ours': _ours,
      'keras': _keras,
      'keras/traced before': functools.partial(_keras, traced=True),
      'keras/JAX backend': functools.partial(_keras, backend='jax'),
      **{
          f'scikit-learn/{solver}': functools.partial(_sklearn, solver=solver)
          for solver in ('LogisticRegression', 'SGDClassifier')
      },
  }
  return sides.Case(
      work,
      {s: functools.partial(m, d=d, sizes=sizes) for s, m in makes.items()},
      _quality,
      turns=turns,
  )


CASES = {
    'heads/fundus_avg': _case(
        '25 heads of 1,280 features', 1280, _FUNDUS, (3, 7)
    ),
    'heads/fundus_flatten': _case(
        '25 heads of 62,720 features', 62720, _FUNDUS
    ),
    'heads/1000': _case(
        '1,000 heads of 357 images, 1,280 features', 1280, (357,) * 1000
    ),
    'heads/10000': _case(
        '10,000 heads of 357 images, 1,280 features',
        1280,
        (357,) * 10_000,
        (1, 3),
    ),
}
