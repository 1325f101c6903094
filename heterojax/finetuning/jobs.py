"""Fine-tuning jobs: what defines one, and the checkpoint of a finished one."""

from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import numpy as np

from heterojax import backbones
from heterojax import features as features_lib
from heterojax.run import checkpoint
from heterojax.run import run_folder

# Of an extraction: nothing depends on it here.
_ONLY_SPEED = ('batch_size', 'workers')


@dataclasses.dataclass(frozen=True)
class Tuning:
  """How a job is trained.

  Attributes:
    task: of `heads.kinds.KINDS`.
    widths: of the hidden layers of a regression's top model, or how many
      classes there are.
    epochs: at most.
    patience: epochs without a better monitored value.
    batch_size: images per step.
    learning_rate: of Adam, the same for both models.
    weight_decay: decoupled (Loshchilov and Hutter 2019): a step takes
      learning_rate * weight_decay of every kernel; biases and the scales of
      batch norm are free.
    monitor: 'val_accuracy' or 'val_loss'; a regression has only the loss.
    batch_norm: 'trained' or 'folded', as the network was loaded.
  """

  task: str
  widths: tuple[int, ...]
  epochs: int
  patience: int
  batch_size: int
  learning_rate: float
  weight_decay: float
  monitor: str
  batch_norm: str = 'trained'


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


class Work(NamedTuple):
  """What a run did for a job: passes of single images through the network.

  Attributes:
    trained: with a gradient.
    predicted: without.
  """

  trained: int
  predicted: int


class Tuned(NamedTuple):
  """What a job gives, by the weights of its best epoch.

  Attributes:
    rows: `[n]` int, all pictures of the job, ascending and without repeats.
    features: `[n, D]` float32.
    outputs: `[n]` float64, logits or values in the target's units; of more than
      two classes `[n, C]`.
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
) -> str:
  """Digest of all that the result of a job depends on."""

  def listed(rows: np.ndarray) -> list[list[Any]]:
    return [
      [pictures[r].path, str(pictures[r].transform), contents[r], float(y[r])]
      for r in rows
    ]

  return run_folder.digest({
    'backbone': backbone.identity,
    'tuning': dataclasses.asdict(tuning),
    'extraction': {
      name: value
      for name, value in dataclasses.asdict(extraction).items()
      if name not in _ONLY_SPEED
    },
    'init_key': jax.random.key_data(job.init_key).tolist(),
    'order_key': jax.random.key_data(job.order_key).tolist(),
    'train': listed(job.train),
    'validation': listed(job.validation),
    'test': listed(job.test),
  })


def rows(job: Job) -> np.ndarray:
  """`[n]`, all pictures of the job, ascending and without repeats."""
  return np.unique(np.concatenate([job.train, job.validation, job.test]))


def read(folder: pathlib.Path, job: Job, about: str) -> Tuned | None:
  """What the folder holds, if it is of this job, and whole."""
  leaves = checkpoint.load(folder, about)
  if leaves is None:
    return None
  (best_epoch,) = leaves['best_epoch'].tolist()
  history = leaves['history']
  return Tuned(
    rows(job),
    leaves['features'],
    leaves['outputs'],
    len(history),
    best_epoch,
    history,
    leaves['losses'],
  )


def write(folder: pathlib.Path, tuned: Tuned, models: Any, about: str) -> None:
  """Writes a job as a checkpoint.

  Args:
    folder: of the job.
    tuned: what it gave.
    models: the best epoch's, see `steps`.
    about: see there.

  Raises:
    UserError: if the folder cannot be written.
  """
  kept = ('features', 'outputs', 'best_epoch', 'history', 'losses')
  tree = {name: getattr(tuned, name) for name in kept}
  checkpoint.save(folder, tree | {'weights': _named(models)}, about)


def _named(models: Any) -> dict[str, jax.Array]:
  """Arrays by name, as 'network.stem.kernel' and 'top.bias'."""
  (network, top), statistics = models
  network = nnx.to_flat_state(nnx.merge_state(network, statistics))
  names = {
    '.'.join(['network', *map(str, path)]): leaf[...] for path, leaf in network
  }
  for path, leaf in jax.tree_util.tree_leaves_with_path(top):
    name = jax.tree_util.keystr(path, simple=True, separator='.')
    names[f'top.{name}'] = leaf
  return names
