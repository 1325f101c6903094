"""Fine-tuning jobs: what defines one, and the folder of a finished one.

The folder holds `features.npy`, `outputs.npy`, the weights of the best epoch
in `weights` and `job.json`, which says what they were trained on.
"""

from collections.abc import Sequence
import dataclasses
import hashlib
import json
import logging
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import numpy as np

from heterojax import backbones
from heterojax import checkpoint
from heterojax import features as features_lib
from heterojax import run_folder
from heterojax.errors import RefusedError
from heterojax.errors import UserError

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Tuning:
  """How a job is trained.

  Attributes:
    task: 'classification' or 'regression'.
    widths: of the hidden layers of a regression's top model.
    epochs: at most.
    patience: epochs without a better monitored value.
    batch_size: images per step.
    learning_rate: of Adam, the same for both models.
    weight_decay: decoupled (Loshchilov and Hutter 2019): a step takes
      learning_rate * weight_decay of every kernel; biases and the scales of
      batch norm are free.
    monitor: 'val_accuracy' or 'val_loss'; a regression has only the loss.
  """

  task: str
  widths: tuple[int, ...]
  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  weight_decay: float
  monitor: str


class Job(NamedTuple):
  """One fold of one size: rows of the list of pictures, and its randomness.

  Attributes:
    train: `[..]` int, pictures to train on.
    validation: `[..]` int, pictures that early stopping looks at.
    test: `[..]` int, pictures that get features and outputs only.
    init_key: PRNG key of the top model's initial weights.
    order_key: PRNG key of the shuffles.
  """

  train: np.ndarray
  validation: np.ndarray
  test: np.ndarray
  init_key: jax.Array
  order_key: jax.Array


class Tuned(NamedTuple):
  """What a job gives, by the weights of its best epoch.

  Attributes:
    rows: `[n]` int, all pictures of the job, ascending and without repeats.
    features: `[n, D]` float32.
    outputs: `[n]` float64, logits or values in the target's units.
    epochs: how many were trained.
    best_epoch: from 0.
    history: `[epochs]` float64 monitored values, larger is better.
    losses: `[epochs]` float64, mean loss of the training batches.
  """

  rows: np.ndarray
  features: np.ndarray
  outputs: np.ndarray
  epochs: int
  best_epoch: int
  history: np.ndarray
  losses: np.ndarray


def about(
    backbone: backbones.Backbone,
    pictures: Sequence[features_lib.Picture],
    y: np.ndarray,
    job: Job,
    tuning: Tuning,
    extraction: features_lib.Extraction,
    contents: Sequence[str],
) -> dict[str, Any]:
  """All that the result of a job depends on, as JSON gives it back."""

  def listed(rows: np.ndarray) -> list[list[Any]]:
    return [
        [pictures[r].path, str(pictures[r].transform), contents[r], float(y[r])]
        for r in rows
    ]

  return json.loads(json.dumps({
      'backbone': [backbone.name, backbone.source, backbone.weights_sha256],
      'tuning': dataclasses.asdict(tuning),
      'image_size': extraction.image_size,
      'resize': extraction.resize,
      'feature': extraction.feature,
      'init_key': jax.random.key_data(job.init_key).tolist(),
      'order_key': jax.random.key_data(job.order_key).tolist(),
      'train': listed(job.train),
      'validation': listed(job.validation),
      'test': listed(job.test),
      'rows': rows(job).tolist(),
  }))


def rows(job: Job) -> np.ndarray:
  """`[n]`, all pictures of the job, ascending and without repeats."""
  return np.unique(np.concatenate([job.train, job.validation, job.test]))


def _digest(array: np.ndarray) -> str:
  data = np.ascontiguousarray(array)
  return hashlib.blake2b(data, digest_size=16).hexdigest()


def read(
    folder: pathlib.Path,
    described: dict[str, Any],
    environment: dict[str, Any],
    allow_mismatch: bool,
) -> Tuned | None:
  """What the folder holds, if it is of the job that is described, and whole.

  Raises:
    RefusedError: if it was trained in another environment.
  """
  index = folder / 'job.json'
  if not index.exists():
    return None
  try:
    stored = json.loads(index.read_text())
    if stored['about'] != described:
      return None
    if stored['environment'] != environment and not allow_mismatch:
      raise RefusedError(
          f'{folder} was trained in another environment'
          f' ({stored["environment"]}, now {environment}): go on there, choose'
          ' another --workdir, or allow it with --allow_mismatch.'
      )
    arrays = [np.load(folder / f'{name}.npy') for name in stored['digests']]
    if [_digest(a) for a in arrays] != list(stored['digests'].values()):
      raise ValueError('its digests differ')
    return Tuned(
        np.array(described['rows']),
        *arrays,
        len(stored['history']),
        stored['best_epoch'],
        np.array(stored['history'], np.float64),
        np.array(stored['losses'], np.float64),
    )
  except (KeyError, OSError, TypeError, ValueError) as error:
    _LOG.warning('%s is damaged (%s): it is trained anew.', folder, error)
    return None


def write(
    folder: pathlib.Path,
    tuned: Tuned,
    models: Any,
    described: dict[str, Any],
    environment: dict[str, Any],
) -> None:
  """Writes a job; `job.json` comes last and says that it is whole.

  Args:
    folder: of the job.
    tuned: what it gave.
    models: the best epoch's, see `steps`.
    described: what `about` says of it.
    environment: versions and devices.

  Raises:
    UserError: if the folder cannot be written.
  """
  arrays = {'features': tuned.features, 'outputs': tuned.outputs}
  text = run_folder.to_json({
      'about': described,
      'environment': environment,
      'best_epoch': tuned.best_epoch,
      'history': tuned.history.tolist(),
      'losses': tuned.losses.tolist(),
      'digests': {name: _digest(array) for name, array in arrays.items()},
  })
  try:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'job.json').unlink(missing_ok=True)
    checkpoint.save(folder / 'weights', _named(models))
    for name, array in arrays.items():
      np.save(folder / f'{name}.npy', array)
    run_folder.write_atomically(folder / 'job.json', text)
  except OSError as error:
    raise UserError(
        f'{folder} cannot be written ({error.strerror}): mend that and give the'
        ' same command, which trains this fold again.'
    ) from error


def _named(models: Any) -> dict[str, jax.Array]:
  """Arrays by name, as 'network.stem.kernel' and 'top.bias'."""
  (network, top), statistics = models
  network = nnx.to_flat_state(nnx.merge_state(network, statistics))
  names = {
      '.'.join(['network', *map(str, path)]): leaf[...]
      for path, leaf in network
  }
  for path, leaf in jax.tree_util.tree_leaves_with_path(top):
    name = jax.tree_util.keystr(path, simple=True, separator='.')
    names[f'top.{name}'] = leaf
  return names
