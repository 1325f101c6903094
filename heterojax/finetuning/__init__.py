"""Fine-tuning: backbone and top model trained together, one job after another.

"Both the back and top model need to be trained before applying the proposed
method" (Mendez 2019, section 2): every fold of every size is one job,
which starts from the pretrained weights and gives the features and outputs of
its images. Jobs run one by one: vmapped over four jobs, a step took 1.3 times
as long per image on CPU, and every job's weights would be held at once.

Axes: B batch, D features, n images of a job.
"""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import logging
import pathlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import special

from heterojax import backbones
from heterojax import features as features_lib
from heterojax.datasets.sources import ImageSource
from heterojax.errors import UserError
from heterojax.finetuning import jobs
from heterojax.finetuning import steps
from heterojax.finetuning.jobs import Job
from heterojax.finetuning.jobs import Tuned
from heterojax.finetuning.jobs import Tuning
from heterojax.finetuning.jobs import Work
from heterojax.heads import regressor
from heterojax.heads.kinds import KINDS
from heterojax.heads.order import batch_order
from heterojax.run import checkpoint
from heterojax.run.progress import Progress

_LOG = logging.getLogger(__name__)


def fine_tune(
  backbone: backbones.Backbone,
  source: ImageSource,
  pictures: Sequence[features_lib.Picture],
  y: np.ndarray,
  job: Job,
  tuning: Tuning,
  extraction: features_lib.Extraction,
  folder: pathlib.Path,
  *,
  contents: Sequence[str],
) -> tuple[Tuned, Work]:
  """Trains both models on one job, or goes on where an earlier run ended.

  Args:
    backbone: of `backbones.load(..., trainable=True)`; stays as it is.
    source: of the images.
    pictures: P, of all jobs.
    y: `[P]` 0 and 1, or the target in its units.
    job: which of them.
    tuning: how it is trained.
    extraction: how images are read and which features are taken; its batch size
      is not used.
    folder: of the job, for its checkpoint.
    contents: P, digests of the pictures' files.

  Returns:
    Features and outputs of all images of the job, and what was done for them
    now.

  Raises:
    UserError: for a job that cannot be trained, or that diverged.
  """
  batch_size = min(tuning.batch_size, len(job.train))
  if batch_size < 2:
    raise UserError(
      f'Fine-tuning needs batches of at least 2 images, not of {batch_size},'
      ' because batch norm compares the images of a batch: choose a larger'
      ' --config.fine_tuning.batch_size or --config.sizes.'
    )
  if not len(job.validation):
    raise UserError(
      'Fine-tuning stops by its validation images, and there are none: choose'
      ' a --config.split.validation_share above 0.'
    )
  about = jobs.about(backbone, pictures, y, job, tuning, extraction, contents)
  tuned = jobs.read(folder, job, about)
  if tuned is not None:
    return tuned, Work(0, 0)
  states = checkpoint.Steps(folder, about)
  run = _Run(backbone, source, pictures, y, tuning, extraction)
  tuned, weights, work = run(job, batch_size, states)
  jobs.write(folder, tuned, weights, about)
  return tuned, work


class _Epochs(NamedTuple):
  """A training between two epochs.

  Attributes:
    state: of models and optimizer.
    kept: models of the best epoch, copied: a step overwrites what it is given.
    history: `[epochs]` monitored values, larger is better.
    losses: `[epochs]`.
  """

  state: steps.State
  kept: Any
  history: np.ndarray
  losses: np.ndarray


def _resumed(state: steps.State, states: checkpoint.Steps) -> _Epochs:
  """Where an earlier run ended, or before the first epoch."""
  kept = (state.weights, state.statistics)
  done, leaves = states.latest()
  now = _Epochs(state, kept, np.zeros(done), np.zeros(done))
  if done:
    now = _Epochs(**checkpoint.restore(now._asdict(), leaves))
    now = now._replace(state=jax.device_put(now.state))
  return now


def _after(
  now: _Epochs, state: steps.State, value: float, loss: float
) -> _Epochs:
  kept = now.kept
  if not len(now.history) or value > now.history.max():
    kept = jax.tree.map(jnp.copy, (state.weights, state.statistics))
  return _Epochs(
    state, kept, np.append(now.history, value), np.append(now.losses, loss)
  )


def _stopped(now: _Epochs, tuning: Tuning) -> bool:
  """`head.update_early_stopping` of one job, on the host."""
  if not len(now.history):
    return False
  epoch = len(now.history) - 1
  wait = epoch - int(np.argmax(now.history))
  return 0 < wait >= tuning.patience and epoch > 0


class _Run:
  """The images and settings of a job, and its training."""

  def __init__(
    self,
    backbone: backbones.Backbone,
    source: ImageSource,
    pictures: Sequence[features_lib.Picture],
    y: np.ndarray,
    tuning: Tuning,
    extraction: features_lib.Extraction,
  ):
    self._backbone, self._source, self._pictures = backbone, source, pictures
    self._graphdef = steps.with_momentum(backbone)
    self._y = np.asarray(y, np.float32)
    self._tuning, self._extraction = tuning, extraction

  def __call__(
    self, job: Job, batch_size: int, states: checkpoint.Steps
  ) -> tuple[Tuned, Any, Work]:
    """Trains; returns also the best epoch's weights and statistics."""
    tuning, n = self._tuning, len(job.train)
    # An incomplete last batch is left out (PyTorch's drop_last): a few images
    # would move the running statistics as much as a whole batch, and repeated
    # ones would weigh twice. Each epoch draws its order anew, so that no image
    # is left out for good.
    full = n // batch_size
    now = _resumed(self._start(job), states)
    begun = len(now.history)
    with Progress(
      'fine-tuning', tuning.epochs * full, 'steps', begun * full
    ) as progress:
      while len(now.history) < tuning.epochs and not _stopped(now, tuning):
        epoch = len(now.history)
        order = job.train[np.asarray(batch_order(job.order_key, epoch, n, n))][
          : full * batch_size
        ]
        state, batch_losses = now.state, []
        for rows, images in self._batches(order, batch_size):
          state, loss = steps.step(
            self._graphdef,
            tuning.task,
            state,
            self._scaling,
            images,
            self._y[rows],
            tuning.learning_rate,
            tuning.weight_decay,
          )
          # One step runs while the next one's images are made, and no more.
          jax.block_until_ready(batch_losses[-1:])
          batch_losses.append(loss)
          progress.update(1)
        value = self._monitored(
          (state.weights, state.statistics), job.validation
        )
        if not np.isfinite(value):
          _LOG.warning('Fine-tuning diverged in epoch %d.', epoch + 1)
          break
        mean = float(np.mean(np.asarray(batch_losses, np.float64)))
        now = _after(now, state, value, mean)
        if states.due():
          states.save(epoch + 1, now._asdict())
    if not len(now.history):
      raise UserError(
        'Fine-tuning diverged in its first epoch: choose a smaller'
        ' --config.fine_tuning.learning_rate.'
      )
    rows = jobs.rows(job)
    features, outputs = self._predicted(now.kept, rows)
    epochs = len(now.history)
    best = int(np.argmax(now.history))
    tuned = Tuned(
      rows, features, outputs, epochs, best, now.history, now.losses
    )
    passes = (epochs - begun) * len(job.validation) + len(rows)
    work = Work((epochs - begun) * full * batch_size, passes)
    return tuned, now.kept, work

  @property
  def _scaling(self) -> dict[str, jax.Array]:
    """The preprocessing, which is part of a backbone's params."""
    params = self._backbone.params
    return {key: params[key] for key in ('mean', 'std')}

  def _start(self, job: Job) -> steps.State:
    tuning = self._tuning
    # The arrays of the backbone serve the next job too.
    network = jax.tree.map(jnp.copy, self._backbone.params['network'])
    weights, statistics = nnx.split_state(network, nnx.Param, ...)
    dim = features_lib.dim(
      self._backbone, dataclasses.replace(self._extraction, feature='avg')
    )
    if tuning.task == 'regression':
      # Features are not standardised: they change with every step, and dividing
      # by the sd of a dead one would blow up the backbone's gradient.
      y = self._y[job.train]
      mean, std = regressor.scales(jnp.asarray(y), jnp.ones(len(y)))
      top = regressor.init(job.init_key, dim, tuning.widths)
      top = top._replace(mean=mean, std=jnp.where(std > 0, std, 1.0))
    else:
      top = KINDS[tuning.task].init(job.init_key, dim, tuning.widths)
    models = (weights, top)
    return steps.State(models, statistics, steps.start_optimizer(models))

  def _batches(
    self, rows: np.ndarray, batch_size: int
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows and images, decoded by threads ahead of their use."""
    how = dataclasses.replace(self._extraction, batch_size=batch_size)
    blocks = [
      slice(i, min(i + batch_size, len(rows)))
      for i in range(0, len(rows), batch_size)
    ]
    pictures = [self._pictures[row] for row in rows]
    batches = features_lib.decoded(self._source, pictures, blocks, how)
    with contextlib.closing(batches):
      for block, images in batches:
        yield rows[block], images

  def _predicted(
    self, models: Any, rows: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]:
    features, outputs = [], []
    # Always of the same size, so that all jobs share one compiled program.
    for part, images in self._batches(rows, self._tuning.batch_size):
      values = steps.apply(
        self._graphdef,
        self._tuning.task,
        self._extraction.feature,
        models,
        self._scaling,
        images,
      )
      features.append(np.asarray(values[0])[: len(part)])
      outputs.append(np.asarray(values[1], np.float64)[: len(part)])
    return np.concatenate(features), np.concatenate(outputs)

  def _monitored(self, models: Any, rows: np.ndarray) -> float:
    """The validation value, larger is better; not finite once diverged."""
    _, out = self._predicted(models, rows)
    y = self._y[rows].astype(np.float64)
    if not np.all(np.isfinite(out)):  # Their accuracy would not tell.
      return -np.inf
    if self._tuning.task == 'regression':
      scale = float(models[0][1].std)
      return -float(np.mean(((out - y) / scale) ** 2))
    if self._tuning.task == 'multiclass':
      return self._of_classes(out, y.astype(int))
    if self._tuning.monitor == 'val_loss':
      return -float(np.mean(np.logaddexp(0, out) - y * out))
    return float(np.mean((out > 0) == (y > 0.5)))

  def _of_classes(self, out: np.ndarray, y: np.ndarray) -> float:
    """`_monitored`, of logits `[n, C]` and codes `[n]`."""
    if self._tuning.monitor == 'val_loss':
      own = np.take_along_axis(out, y[:, np.newaxis], axis=1)[:, 0]
      return -float(np.mean(special.logsumexp(out, axis=1) - own))
    return float(np.mean(np.argmax(out, axis=1) == y))
