"""The stage that trains all heads of a study, or finds them trained.

Heads of the kind keras are trained together, epoch by epoch (`ensemble`);
logistic ones are fitted fold by fold (`optimum`). Both keep what they have done
so far, and end with the same bits wherever they were stopped.
"""

from collections.abc import Callable, Sequence
import dataclasses
import functools
import io
import itertools
import json
import logging
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from heterojax.compute import collectives
from heterojax.compute import cores
from heterojax.compute.arrays import Array
from heterojax.errors import UserError
from heterojax.features import Features
from heterojax.heads import ensemble
from heterojax.heads import optimum
from heterojax.run import atomic
from heterojax.run import checkpoint
from heterojax.run import processes
from heterojax.run.progress import Progress
from heterojax.studies import counters
from heterojax.studies import records
from heterojax.studies import stages
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

_LOG = logging.getLogger(__name__)
Names = Sequence[dict[str, Any]]


class Part(NamedTuple):
  """The heads of one fold (of one size).

  Attributes:
    samples: of the fold.
    members: its heads; the first is that of all training images.
    key: of the cross-validation that chooses a penalty.
  """

  samples: Samples
  members: Sequence[ensemble.Member]
  key: jax.Array


class Trained(NamedTuple):
  """All heads, one part after the other.

  Attributes:
    outputs: `[H, P]` float64, logits, of more than two classes `[H, P, C]`, or
      the numbers of a regression.
    now: how many heads were trained in this run, or trained further.
    flops: operations that took.
    predict: what they give for other features `[M, D]`, as `outputs`.
    fits: of logistic heads, how they were fitted; else None.
  """

  outputs: np.ndarray
  now: int
  flops: float
  predict: Callable[[Array], np.ndarray]
  fits: records.Heads | None = None


def check_memory(
  settings: Settings, heads: int, samples: Samples, dim: Callable[[], int]
) -> None:
  """Raises a UserError where the heads will not fit, before anything runs.

  Args:
    settings: of the study.
    heads: how many there will be.
    samples: of a fold.
    dim: of a feature vector, where it is needed.
  """
  if settings.at_optimum or cores.memory() is None:
    return
  ensemble.check_memory(
    stages.training(settings, samples.classes),
    heads,
    len(samples.pictures),
    len(stages.validation(samples)),
    dim(),
  )


def train(
  settings: Settings,
  folder: pathlib.Path,
  features: Features,
  parts: Sequence[Part],
  names: Names,
) -> Trained:
  """Trains heads, or goes on where an earlier run of the same ones ended.

  Writes `checkpoints/heads`, and what its heads are: `heads.json` has an entry
  for each, and `heads_rows.npz` the training rows of one after the other as
  `rows`, those of head h from `starts[h]` to `starts[h + 1]`.

  Args:
    settings: of the study.
    folder: the run folder.
    features: of all P pictures.
    parts: T, with H heads together.
    names: H, fields that tell which head it is.

  Returns:
    The trained heads.

  Raises:
    UserError: if heads diverge.
  """
  path = folder / 'checkpoints' / 'heads'
  train_kind = _logistic if settings.at_optimum else _keras
  trained, described = train_kind(settings, path, features, parts, names)
  text = json.dumps([
    name | found for name, found in zip(names, described, strict=True)
  ])
  atomic.write(path.with_suffix('.json'), text + '\n')
  atomic.write(path.with_name('heads_rows.npz'), _rows_of(_members(parts)))
  return trained


def _rows_of(members: Sequence[ensemble.Member]) -> bytes:
  """`heads_rows.npz`; as JSON the rows of many images would fill the memory."""
  rows = [np.asarray(member.rows, np.int32) for member in members]
  starts = np.cumsum([0, *map(len, rows)])
  file = io.BytesIO()
  np.savez(file, allow_pickle=False, rows=np.concatenate(rows), starts=starts)
  return file.getvalue()


def _members(parts: Sequence[Part]) -> list[ensemble.Member]:
  return list(itertools.chain.from_iterable(part.members for part in parts))


def _keras(
  settings: Settings,
  path: pathlib.Path,
  features: Features,
  parts: Sequence[Part],
  names: Names,
) -> tuple[Trained, list[dict[str, Any]]]:
  """Heads that stop early, and what is said of each."""
  members, samples = _members(parts), parts[0].samples
  training = stages.training(settings, samples.classes)
  y = samples.y_of_pictures
  about = checkpoint.digest([
    features.digest,
    y,
    [[m.rows, m.validation, *map(_key, m[2:])] for m in members],
    dataclasses.asdict(training),
  ])
  leaves = checkpoint.load(path, about)
  if leaves is None:
    steps = checkpoint.Steps(path, about)
    _share(features.x, y, members, training)
    heads = ensemble.train(features.x, y, members, training, steps=steps)
    # Dictionaries restore without the classes that wrote them.
    tree = heads._asdict() | {'params': heads.params._asdict()}
    checkpoint.save(path, tree, about)
    now = np.maximum(heads.epochs - steps.resumed, 0)
  else:
    _LOG.info('Resuming: all %d heads are trained.', len(members))
    heads = _restored(leaves, members, features.x.shape[1], training)
    now = np.zeros(len(members), int)
  _check_finite(heads, names)

  def predict(x: Array) -> np.ndarray:
    return ensemble.predict_all(heads.params, cores.placed(x))

  rows = [(len(member.rows), len(member.validation)) for member in members]
  trained = Trained(
    outputs=predict(features.x),
    now=int(np.sum(now > 0)),
    flops=counters.flops_of_epochs(
      training, features.x.shape[1], rows, now.tolist()
    ),
    predict=predict,
  )
  return trained, [
    {
      'epochs': int(heads.epochs[h]),
      'best_epoch': int(heads.best_epoch[h]),
      'best': float(heads.best[h]),
    }
    for h in range(len(members))
  ]


def _share(
  x: Array,
  y: np.ndarray,
  members: Sequence[ensemble.Member],
  training: ensemble.Training,
) -> None:
  """Has the other processes train with this one, where there are any."""
  if collectives.number() == 1:
    return
  lists = [
    [member.rows for member in members],
    [member.validation for member in members],
  ]
  keys = [
    np.stack([_key(member.init_key) for member in members]),
    np.stack([_key(member.order_key) for member in members]),
  ]
  lengths = [[len(own) for own in of_kind] for of_kind in lists]
  processes.share(
    'heads',
    {'training': dataclasses.asdict(training), 'lengths': lengths},
    [np.asarray(x), y, *map(np.concatenate, lists), *keys],
  )


def assist(job: processes.Job) -> None:
  """Trains heads with process 0, which keeps them."""
  x, y, *lists_and_keys = job.arrays
  ends = [np.cumsum(lengths)[:-1] for lengths in job.words['lengths']]
  rows, validation = map(np.split, lists_and_keys[:2], ends)
  init, order = (
    list(jax.random.wrap_key_data(jnp.asarray(keys)))
    for keys in lists_and_keys[2:]
  )
  members = [
    ensemble.Member(*of_head)
    for of_head in zip(rows, validation, init, order, strict=True)
  ]
  training = job.words['training']
  training['widths'] = tuple(training['widths'])
  ensemble.train(x, y, members, ensemble.Training(**training))


def _logistic(
  settings: Settings,
  path: pathlib.Path,
  features: Features,
  parts: Sequence[Part],
  names: Names,
) -> tuple[Trained, list[dict[str, Any]]]:
  """Heads at their optimum, and what is said of each."""
  given = settings.data.dataset == 'features'
  samples = parts[0].samples
  y, classes = samples.y_of_pictures, len(samples.classes)
  folds = [_fold(part) for part in parts]
  about = checkpoint.digest([
    features.digest,
    y,
    [fold._asdict() for fold in folds],
    {'kind': 'logistic', 'c': settings.heads.c, 'standardised': given},
  ])
  leaves, now, flops = checkpoint.load(path, about), 0, 0.0
  if leaves is None:
    steps = checkpoint.Steps(path, about)
    leaves = _fitted(
      features.x, y, folds, settings.heads.c, given, classes, steps
    )
    checkpoint.save(path, _tree(leaves), about)
    earlier = sum(len(fold.rows) for fold in folds[: steps.resumed])
    now = len(names) - earlier
    flops = float(np.sum(leaves['flops'][earlier:]))
  else:
    _LOG.info('Resuming: all %d heads are fitted.', len(names))
  fitted = optimum.Fitted(**_flat(leaves))
  if failed := int(np.sum(~fitted.converged)):
    _LOG.warning('%d of %d heads did not converge.', failed, len(names))
  firsts = np.cumsum([0, *(len(fold.rows) for fold in folds[:-1])])
  trained = Trained(
    outputs=optimum.outputs(fitted, features.x),
    now=now,
    flops=flops,
    predict=functools.partial(optimum.outputs, fitted),
    fits=records.Heads(
      kind='logistic',
      c=tuple(fitted.c[firsts].tolist()),
      c_chosen=not settings.heads.c,
      standardised=given,
      not_converged=failed,
    ),
  )
  return trained, [
    {
      'c': float(fitted.c[h]),
      'n_iter': int(fitted.n_iter[h]),
      'converged': bool(fitted.converged[h]),
    }
    for h in range(len(names))
  ]


def _fold(part: Part) -> optimum.Fold:
  """The rows of a part's heads, and what chooses their scale and penalty."""
  samples = part.samples
  train = samples.of('train')
  return optimum.Fold(
    rows=[member.rows for member in part.members],
    originals=samples.row[train[samples.is_original[train]]],
    parts=optimum.parts_of(samples.y[train], samples.units(train), part.key),
  )


def _fitted(
  x: Array,
  y: np.ndarray,
  folds: Sequence[optimum.Fold],
  c: float,
  standardised: bool,
  classes: int,
  steps: checkpoint.Steps,
) -> checkpoint.Leaves:
  """The leaves of all heads, one fold after the other."""
  done, kept = steps.latest()
  found = [_flat(kept)] if done else []
  products = None
  if not standardised:
    # Of all folds, wherever an earlier run ended: the same bits.
    products = optimum.shared(x, folds)
  with Progress('heads', len(folds), 'folds', done) as progress:
    for fold in folds[done:]:
      own = optimum.fit(
        x,
        y,
        fold,
        c,
        standardised=standardised,
        products=products,
        classes=classes,
      )
      found.append(own._asdict())
      done += 1
      if done < len(folds) and steps.due():
        found = [_joined(found)]
        steps.save(done, _tree(found[0]))
      progress.update(1)
  return _joined(found)


def _joined(found: Sequence[checkpoint.Leaves]) -> checkpoint.Leaves:
  return {
    name: np.concatenate([leaves[name] for leaves in found])
    for name in optimum.Fitted._fields
  }


def _tree(leaves: checkpoint.Leaves) -> dict[str, Any]:
  """Weights under the names that those of every kind of head have."""
  rest = dict(leaves)
  params = {name: rest.pop(name) for name in ('kernel', 'bias')}
  return {'params': params, **rest}


def _flat(leaves: checkpoint.Leaves) -> checkpoint.Leaves:
  """What `_tree` was made from."""
  return {name.removeprefix('params.'): leaf for name, leaf in leaves.items()}


def _check_finite(heads: ensemble.Ensemble, names: Names) -> None:
  """Raises a UserError for a head that has no epoch to keep."""
  diverged = [
    n
    for n, best in zip(names, heads.best, strict=True)
    if not np.isfinite(best)
  ]
  if diverged:
    which = ', '.join(f'{key} {value}' for key, value in diverged[0].items())
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
