"""Ours alone at growing sizes, for `benchmarks.scaling`.

A sweep changes one number and keeps the others. Each of its points is a case
with one side, so that it runs in a process of its own.
"""

from collections.abc import Callable
import functools
import os
from typing import NamedTuple

import numpy as np

from benchmarks import endtoend
from benchmarks import networks
from benchmarks import sides


class Sweep(NamedTuple):
  """One number that grows.

  Attributes:
    title: for the figure.
    axis: what the number counts.
    values: of the number.
    make: (scale, number) to the side that is measured.
    turns: how often; 1 where a run takes minutes.
  """

  title: str
  axis: str
  values: tuple[int, ...]
  make: Callable[..., sides.Side]
  turns: int = 3


def _features(scale: sides.Scale, value: int) -> sides.Side:
  """Image files to stored features; compiled in the set-up."""
  sides.start_ours()
  from heterojax import features

  source, chosen = endtoend.pictures(value)
  how = features.Extraction('avg', endtoend.SIZE, 'keras', 32, sides.threads())
  run = endtoend.extracting(networks.LITE0, source, chosen, how, scale.folder)
  return sides.Side(
    run, steady=True, compared=lambda x: {'rows': np.array(len(x))}
  )


def _devices(scale: sides.Scale, value: int) -> sides.Side:
  """The network alone, on so many devices that share the cores."""
  flag = f'--xla_force_host_platform_device_count={value}'
  os.environ['XLA_FLAGS'] = f'{os.environ.get("XLA_FLAGS", "")} {flag}'.strip()
  sides.start_ours()
  shape = (32, endtoend.SIZE, endtoend.SIZE, 3)
  images = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
  _, compiled = networks.of_ours(networks.LITE0, shape)

  def run() -> sides.Result:
    waits = [compiled(images, len(images)) for _ in range(8)]
    return {'rows': np.array(sum(len(wait()) for wait in waits))}

  return sides.Side(run)


def _heads(scale: sides.Scale, value: int) -> sides.Side:
  """Ten epochs of 357 of 1,428 images, 1,280 features."""
  sides.start_ours()
  import jax

  from heterojax.heads import ensemble

  x = jax.numpy.asarray(sides.like_features(1428, 1280))
  y = (np.arange(len(x)) % 2).astype(np.float32)
  rng = np.random.default_rng(0)
  keys = jax.random.split(jax.random.key(0), (2, value))
  members = [
    ensemble.Member(rng.permutation(len(x))[:357], np.arange(208), *both)
    for both in zip(*keys, strict=True)
  ]
  training = ensemble.Training(10, 10, 8, 1e-3)

  def run() -> sides.Result:
    trained = ensemble.train(x, y, members, training)
    jax.block_until_ready(trained.params)
    return {'epochs': np.asarray(trained.epochs)}

  return sides.Side(run)


def _kmeans(
  scale: sides.Scale, value: int, *, axis: str, **others: int
) -> sides.Side:
  """Seconds are those of an iteration."""
  sides.start_ours()
  import jax

  from heterojax.cluster import kmeans

  size = {**others, axis: value}
  x = sides.like_features(size['n'], size['d'])
  init = sides.some_rows(x, size['k'])
  x = jax.numpy.asarray(x)

  def run() -> sides.Result:
    fitted = kmeans(x, size['k'], init=init, tol=0, max_iter=20)
    return {'n_iter': np.asarray(fitted.n_iter)}

  return sides.Side(run)


SWEEPS = {
  'features/n': Sweep(
    'EfficientNet-Lite0 features',
    'JPEG files',
    (1000, 2000, 4000, 8000),
    _features,
    1,
  ),
  'features/devices': Sweep(
    'Features of 256 images',
    'devices that share the cores',
    (1, 2, 4),
    _devices,
  ),
  'heads/h': Sweep(
    'Heads, 1,280 features', 'heads', (25, 100, 400, 1600), _heads
  ),
  'kmeans/n': Sweep(
    'K-means, 64 columns, k = 16',
    'rows',
    (25_000, 50_000, 100_000, 200_000),
    functools.partial(_kmeans, axis='n', d=64, k=16),
  ),
  'kmeans/d': Sweep(
    'K-means, 50,000 rows, k = 16',
    'columns',
    (16, 64, 256, 1024),
    functools.partial(_kmeans, axis='d', n=50_000, k=16),
  ),
  'kmeans/k': Sweep(
    'K-means, 50,000 x 64',
    'k',
    (4, 16, 64, 256),
    functools.partial(_kmeans, axis='k', n=50_000, d=64),
  ),
}

CASES = {
  f'{name}={value}': sides.Case(
    sweep.title,
    {'ours': functools.partial(sweep.make, value=value)},
    lambda ours, theirs: {},
    turns=(sweep.turns, sweep.turns),
  )
  for name, sweep in SWEEPS.items()
  for value in sweep.values
}
