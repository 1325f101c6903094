"""The stage that trains all heads of a study, or finds them trained."""

from collections.abc import Sequence
import dataclasses
import json
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from heterojax.errors import UserError
from heterojax.features import Features
from heterojax.heads import ensemble
from heterojax.run import checkpoint
from heterojax.run import run_folder
from heterojax.studies import stages
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)


class Trained(NamedTuple):
  """Heads, and the epochs `[H]` that each one trained in this run."""

  heads: ensemble.Ensemble
  epochs_now: np.ndarray


def train(
  settings: Settings,
  folder: pathlib.Path,
  features: Features,
  y: np.ndarray,
  members: Sequence[ensemble.Member],
  names: Sequence[dict[str, Any]],
) -> Trained:
  """Trains heads, or goes on where an earlier run of the same ones ended.

  Writes `checkpoints/heads` and `heads.json`, what its heads are.

  Args:
    settings: of the study.
    folder: the run folder.
    features: of all P pictures.
    y: `[P]`.
    members: H heads.
    names: H, fields that tell which head it is.

  Returns:
    The trained heads.
  """
  path = folder / 'checkpoints' / 'heads'
  training = stages.training(settings)
  about = checkpoint.digest([
    features.digest,
    y,
    [[m.rows, m.validation, *map(_key, m[2:])] for m in members],
    dataclasses.asdict(training),
  ])
  leaves = checkpoint.load(path, about)
  if leaves is None:
    steps = checkpoint.Steps(path / 'steps', about)
    heads = ensemble.train(features.x, y, members, training, steps=steps)
    # Dictionaries restore without the classes that wrote them.
    tree = heads._asdict() | {'params': heads.params._asdict()}
    checkpoint.save(path, tree, about)
    steps.clear()
    now = np.maximum(heads.epochs - steps.resumed, 0)
  else:
    _LOG.info('Resuming: all %d heads are trained.', len(members))
    heads = _restored(leaves, members, features.x.shape[1], training)
    now = np.zeros(len(members), int)
  _check_finite(heads, names)
  described = [
    name
    | {
      'epochs': int(heads.epochs[h]),
      'best_epoch': int(heads.best_epoch[h]),
      'best': float(heads.best[h]),
    }
    for h, name in enumerate(names)
  ]
  run_folder.write_atomically(
    path.with_suffix('.json'), json.dumps(described) + '\n'
  )
  return Trained(heads, now)


def _check_finite(
  heads: ensemble.Ensemble, names: Sequence[dict[str, Any]]
) -> None:
  """Raises a UserError for a head that has no epoch to keep."""
  diverged = [
    n
    for n, best in zip(names, heads.best, strict=True)
    if not np.isfinite(best)
  ]
  if diverged:
    which = ', '.join(
      f'{key} {value}' for key, value in diverged[0].items() if key != 'rows'
    )
    raise UserError(
      f'{len(diverged)} of {len(names)} heads diverged in their first epoch'
      f' (the first: {which}): choose a smaller'
      ' --config.heads.learning_rate, or scale the features down.'
    )


def _restored(
  leaves: checkpoint.Leaves,
  members: Sequence[ensemble.Member],
  dim: int,
  training: ensemble.Training,
) -> ensemble.Ensemble:
  params = ensemble.initial_params(members, dim, training.task, training.widths)
  params = checkpoint.restore({'params': params}, leaves)['params']
  names = ensemble.Ensemble._fields[1:]
  return ensemble.Ensemble(
    jax.device_put(params), *(leaves[name] for name in names)
  )


def _key(key: jax.Array) -> np.ndarray:
  return np.asarray(jax.random.key_data(key))
