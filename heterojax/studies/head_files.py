"""The files of trained heads."""

from collections.abc import Sequence
import json
import pathlib
from typing import Any

from heterojax import checkpoint
from heterojax import run_folder
from heterojax.heads import ensemble


def save(
    folder: pathlib.Path,
    names: Sequence[dict[str, Any]],
    trained: ensemble.Ensemble,
) -> None:
  """`checkpoints/heads` (Orbax) and `heads.json`, what its heads are.

  Args:
    folder: the run folder.
    names: H, fields that tell which head it is.
    trained: H heads, in the same order.
  """
  path = folder / 'checkpoints' / 'heads'
  checkpoint.save(path, {'params': trained.params._asdict()})
  described = [
      name
      | {
          'epochs': int(trained.epochs[h]),
          'best_epoch': int(trained.best_epoch[h]),
          'best': float(trained.best[h]),
      }
      for h, name in enumerate(names)
  ]
  run_folder.write_atomically(
      path.with_suffix('.json'), json.dumps(described) + '\n'
  )
