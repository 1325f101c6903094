"""What is measured: our side and a peer's, on the same inputs.

Each case is a function without arguments that returns a `Case`; peers are
imported inside it, so that a missing one only costs its own case.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Case(NamedTuple):
  """One comparison.

  Attributes:
    peer: name of the library.
    ours: does the work once and waits for it.
    theirs: likewise.
    quality: how far the two results are apart, measured before timing.
    fraction: share of the work that `theirs` does; its time is divided by it.
  """

  peer: str
  ours: Callable[[], Any]
  theirs: Callable[[], Any]
  quality: dict[str, float]
  fraction: float = 1.0


def _like_features(n: int, d: int) -> np.ndarray:
  """Non-negative, correlated columns with a falling spectrum, float32."""
  rng = np.random.default_rng(0)
  rank = min(n, d)
  scale = np.arange(1.0, rank + 1) ** -0.7
  x = (rng.standard_normal((n, rank)) * scale) @ rng.standard_normal((rank, d))
  return np.maximum(x / 3 + 0.2, 0).astype(np.float32)


def lite0_against_torch() -> Case:
  """Feature maps of 64 images, both libraries at their best batch of 8, 32."""
  import efficientnet_lite_pytorch
  import torch

  from heterojax import backbones
  from heterojax.backbones import imagenet

  backbone = backbones.load('efficientnet_lite0')
  path, _ = imagenet.locate('efficientnet_lite0', download=False)
  model = efficientnet_lite_pytorch.EfficientNet.from_name('efficientnet-lite0')
  model.load_state_dict(torch.load(path))
  model = model.eval().to(memory_format=torch.channels_last)
  x = np.random.default_rng(0).uniform(0, 255, (64, 224, 224, 3))
  x = x.astype(np.float32)
  nchw = torch.from_numpy((x - 127) / 128).permute(0, 3, 1, 2)
  nchw = nchw.contiguous(memory_format=torch.channels_last)

  def ours():
    return [
        np.asarray(backbone.feature_map(x[i : i + 32])) for i in range(0, 64, 32)
    ]

  def theirs():
    with torch.inference_mode():
      return [model.extract_features(nchw[i : i + 8]) for i in range(0, 64, 8)]

  got = np.concatenate(ours())
  want = torch.cat(theirs()).permute(0, 2, 3, 1).numpy()
  error = float(np.max(np.abs(got - want)) / np.max(np.abs(want)))
  return Case('torch', ours, theirs, {'relative_error': error})


def _keras_head(x, y, epochs):
  import keras

  model = keras.Sequential([
      keras.Input((x.shape[1],)), keras.layers.Dense(1, activation='sigmoid')
  ])
  model.compile('adam', 'binary_crossentropy', metrics=['accuracy'])
  model.fit(x, y, batch_size=8, epochs=epochs, verbose=0)
  return model


def _heads(d: int, fitted: int) -> Case:
  """25 heads (1 + 4 + 20), 10 epochs, no early stopping on either side."""
  from heterojax import metrics
  from heterojax import rng
  from heterojax.heads import ensemble

  x = _like_features(1428, d)
  x -= x.mean(axis=0)
  w = np.random.default_rng(1).standard_normal(d).astype(np.float32)
  y = (x @ w > 0).astype(np.float32)
  order = np.random.default_rng(2)
  sizes = [1428] + [42, 441, 274, 671] * 6
  members = [
      ensemble.Member(
          order.permutation(1428)[:size],
          np.arange(208),
          rng.key(0, rng.Purpose.INITIALISATION, i),
          rng.key(0, rng.Purpose.ORDER, i),
      )
      for i, size in enumerate(sizes)
  ]
  training = ensemble.Training(10, 10, 8, 1e-3)
  on_device = jax.numpy.asarray(x)

  def ours():
    return ensemble.train(on_device, y, members, training)

  chosen = list(range(1, 1 + fitted))
  passes = sum(sizes)
  share = sum(sizes[i] for i in chosen) / passes

  def theirs():
    return [
        _keras_head(x[members[i].rows], y[members[i].rows], 10) for i in chosen
    ]

  models = theirs()
  logits = ensemble.predict(ours().params, on_device)
  gaps = []
  for i, model in zip(chosen, models):
    probability = np.ravel(model.predict(x, verbose=0))
    own = metrics.probability(logits[i])
    gaps.append(abs(metrics.auc(y, own) - metrics.auc(y, probability)))
  return Case('keras', ours, theirs, {'largest_auc_gap': max(gaps)}, share)


def heads_avg() -> Case:
  return _heads(1280, fitted=4)


def heads_flatten() -> Case:
  return _heads(62720, fitted=4)


def _kmeans(n: int, d: int, k: int, n_init: int) -> Case:
  from heterojax.cluster import kmeans
  from sklearn.cluster import KMeans

  x = _like_features(n, d)
  start = x[np.random.default_rng(0).choice(n, k, replace=False)]
  on_device = jax.numpy.asarray(x)

  def ours():
    if n_init == 1:
      return jax.block_until_ready(kmeans(on_device, k, init=start, tol=0))
    key = jax.random.key(0)
    return jax.block_until_ready(
        kmeans(on_device, k, key=key, n_init=n_init, tol=0)
    )

  def theirs():
    init = start if n_init == 1 else 'k-means++'
    return KMeans(k, init=init, n_init=n_init, tol=0, random_state=0).fit(x)

  got, want = ours(), theirs()
  quality = {'inertia_ratio': float(got.inertia) / want.inertia_}
  if n_init == 1:
    quality['other_labels'] = float(np.mean(got.labels != want.labels_))
  return Case('scikit-learn', ours, theirs, quality)


def _pca(n: int, d: int, q: int, solver: str) -> Case:
  from heterojax.cluster import pca
  from sklearn.decomposition import PCA

  x = _like_features(n, d)

  def ours():
    return jax.block_until_ready(pca(x, q))

  def theirs():
    return PCA(q, svd_solver=solver, random_state=0).fit(x)

  got, want = ours(), theirs()
  gap = abs(
      float(np.sum(got.explained_variance_ratio))
      - float(np.sum(want.explained_variance_ratio_))
  )
  return Case('scikit-learn', ours, theirs, {'explained_variance_gap': gap})


CASES = {
    'features/efficientnet_lite0': lite0_against_torch,
    'heads/fundus_avg': heads_avg,
    'heads/fundus_flatten': heads_flatten,
    'kmeans/1428x1280x4': lambda: _kmeans(1428, 1280, 4, 1),
    'kmeans/1428x1280x4/n_init10': lambda: _kmeans(1428, 1280, 4, 10),
    'pca/1428x1280x200/full': lambda: _pca(1428, 1280, 200, 'full'),
    'pca/1428x1280x200/covariance_eigh': lambda: _pca(
        1428, 1280, 200, 'covariance_eigh'
    ),
    'pca/1428x62720x200/full': lambda: _pca(1428, 62720, 200, 'full'),
    'pca/1428x62720x200/randomized': lambda: _pca(
        1428, 62720, 200, 'randomized'
    ),
}
