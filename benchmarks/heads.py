"""Heads on features that are in memory: many at once against one by one.

Ten epochs, batches of 8, Adam, no early stopping on either side; initial
weights and orders differ, so that heads are compared by their AUC.
"""

from collections.abc import Callable, Iterable, Sequence
import functools
import importlib
import os
import time
from typing import Any

import numpy as np

from benchmarks import sides

_EPOCHS, _BATCH, _N = 10, 8, 1428
_MANY, _COMPARED = 1000, 25
# The fundus study: all images, then four clusters and five random draws of the
# size of each.
_FUNDUS = (1428, *((42, 441, 274, 671) * 6))


def _problem(
  scale: sides.Scale, sizes: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
  """Features `[N, d]`, labels `[N]` and the rows of each head."""
  x = sides.read_features(scale)
  rng = np.random.default_rng(1)
  w = rng.standard_normal(x.shape[1]).astype(np.float32)
  y = (x @ w > 0).astype(np.float32)
  return x, y, [rng.permutation(_N)[:size] for size in sizes]


def _aucs(y: np.ndarray, scores: Iterable[np.ndarray]) -> np.ndarray:
  from sklearn.metrics import roc_auc_score

  return np.array([roc_auc_score(y, s) for s in scores])


def _compared(
  y: np.ndarray,
  heads: Sequence[int],
  scores: Callable[[Any], np.ndarray],
  models: Sequence[Any],
) -> sides.Result:
  """AUCs of the first models of a peer, one for each of `heads`."""
  found = [scores(own) for own in models[:_COMPARED]]
  return {'auc': _aucs(y, found), 'heads': np.array(heads[: len(found)])}


def _ours(scale: sides.Scale, *, sizes: Sequence[int]) -> sides.Side:
  sides.start_ours()
  import jax

  from heterojax.heads import ensemble

  x, y, rows = _problem(scale, sizes)
  keys = jax.random.split(jax.random.key(0), (2, len(sizes)))
  members = [
    ensemble.Member(own, np.arange(208), *both)
    for own, *both in zip(rows, *keys, strict=True)
  ]
  training = ensemble.Training(_EPOCHS, _EPOCHS, _BATCH, 1e-3)
  on_device = jax.numpy.asarray(x)

  many, seconds = len(sizes) > _MANY, []

  def train(number: int) -> ensemble.Ensemble:
    start = time.perf_counter()
    trained = ensemble.train(on_device, y, members[:number], training)
    jax.block_until_ready(trained.params)
    seconds.append(time.perf_counter() - start)
    return trained

  def compared(trained: ensemble.Ensemble) -> sides.Result:
    scores = np.asarray(ensemble.predict(trained.params, on_device))
    own = {'auc': _aucs(y, scores[:_COMPARED])}
    if many and scale.full:  # Is time linear? Both without compiling.
      all_of_them = seconds[-1]
      train(_MANY)
      train(_MANY)
      own['over_1000'] = np.array(all_of_them / seconds[-1])
    return own

  # Of the most heads the seconds that compile count too, against us.
  return sides.Side(lambda: train(len(sizes)), steady=many, compared=compared)


def _measured(
  scale: sides.Scale, sizes: Sequence[int], most: int
) -> tuple[Sequence[int], float]:
  """The heads that a slow peer fits, and their share of all rows.

  In the quick suite at most so many; in the full one all, but 20 of those
  that would take Keras hours.
  """
  chosen = range(len(sizes))
  if not scale.full:
    # The fundus study's largest cluster but one is first.
    chosen = chosen[2 : 2 + most]
  elif len(sizes) > _MANY:
    chosen = chosen[:20]
  return chosen, sum(sizes[i] for i in chosen) / sum(sizes)


def _keras(
  scale: sides.Scale,
  *,
  sizes: Sequence[int],
  backend: str = 'tensorflow',
  traced: bool = False,
) -> sides.Side:
  """A model and a `fit` for every head, or only the `fit` of a traced one."""
  os.environ['KERAS_BACKEND'] = backend
  import keras

  x, y, rows = _problem(scale, sizes)
  chosen, fraction = _measured(scale, sizes, 1)

  def model() -> Any:
    own = keras.Sequential([
      keras.Input((x.shape[1],)),
      keras.layers.Dense(1, activation='sigmoid'),
    ])
    own.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
    return own

  def fit(own: Any, rows: np.ndarray, epochs: int) -> None:
    own.fit(x[rows], y[rows], batch_size=_BATCH, epochs=epochs, verbose=0)

  # What a process does once does not count for its first head.
  fit(model(), rows[0][:_BATCH], 1)
  ready = {}
  if traced:
    ready = {i: model() for i in chosen}
    for i, own in ready.items():
      fit(own, rows[i], 1)

  def run() -> list[Any]:
    models = [ready.get(i) or model() for i in chosen]
    for i, own in zip(chosen, models, strict=True):
      fit(own, rows[i], _EPOCHS)
    return models

  def scores(own: Any) -> np.ndarray:
    return np.ravel(own.predict(x, verbose=0))

  compared = functools.partial(_compared, y, chosen, scores)
  return sides.Side(run, fraction, steady=True, compared=compared)


def _sklearn(
  scale: sides.Scale,
  *,
  sizes: Sequence[int],
  solver: str,
  library: str = 'sklearn',
) -> sides.Side:
  linear_model = importlib.import_module(f'{library}.linear_model')
  x, y, rows = _problem(scale, sizes)
  slow = solver == 'LogisticRegression' or x.shape[1] > 10_000
  chosen, fraction = _measured(scale, sizes, 5 if slow else 25)

  def fitted(i: int) -> Any:
    if solver == 'LogisticRegression':
      own = linear_model.LogisticRegression()
    else:
      own = linear_model.SGDClassifier(
        loss='log_loss', max_iter=_EPOCHS, tol=None, random_state=0
      )
    return own.fit(x[rows[i]], y[rows[i]])

  return sides.Side(
    lambda: [fitted(i) for i in chosen],
    fraction,
    steady=True,
    compared=functools.partial(
      _compared, y, chosen, lambda own: own.decision_function(x)
    ),
  )


def _quality(ours: sides.Result, theirs: sides.Result) -> dict[str, float]:
  both = (theirs['heads'] < len(ours['auc'])).nonzero()[0]
  gaps = np.abs(ours['auc'][theirs['heads'][both]] - theirs['auc'][both])
  quality = {'largest_auc_gap': float(gaps.max())}
  if 'over_1000' in ours:
    quality['our_time_over_that_of_1000'] = float(ours['over_1000'])
  return quality


def _case(
  heads: str, d: int, sizes: Sequence[int], turns: tuple[int, int] = (1, 2)
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
    'scikit-learn-intelex/LogisticRegression': functools.partial(
      _sklearn, solver='LogisticRegression', library='sklearnex'
    ),
  }
  if len(sizes) >= _MANY:  # Each takes Keras twenty minutes or more.
    del makes['keras/traced before'], makes['keras/JAX backend']
  if len(sizes) > _MANY:  # Those take it half an hour.
    for library in ('scikit-learn', 'scikit-learn-intelex'):
      del makes[f'{library}/LogisticRegression']
  return sides.Case(
    f'{heads} of {d:,} features',
    {s: functools.partial(m, sizes=sizes) for s, m in makes.items()},
    _quality,
    functools.partial(sides.write_features, n=_N, d=d, centred=True),
    turns,
    full_only=[s for s in makes if s not in ('ours', 'keras')],
  )


CASES = {
  'heads/fundus_avg': _case('25 heads', 1280, _FUNDUS, (3, 3)),
  'heads/fundus_flatten': _case('25 heads', 62720, _FUNDUS),
  'heads/1000': _case(
    '1,000 heads of 357 images', 1280, (357,) * _MANY, (1, 1)
  ),
  'heads/10000': _case(
    '10,000 heads of 357 images', 1280, (357,) * (10 * _MANY)
  ),
}
