"""What the other processes of a run do for the one that leads it.

They read images and weights by the same configuration, and no run folder.
"""

from collections.abc import Callable
import functools
import pathlib
import tempfile
from typing import Any

from heterojax import backbones
from heterojax import features
from heterojax.compute import compilation
from heterojax.datasets import sources
from heterojax.errors import UserError
from heterojax.features import exchange
from heterojax.run import processes
from heterojax.studies import heads_stage
from heterojax.studies import registry
from heterojax.studies import stages
from heterojax.studies.settings import Settings


def assist(config: dict[str, Any], *, download: bool) -> int:
  """Does what process 0 shares until that ends.

  Args:
    config: the resolved configuration, as process 0 has it.
    download: fetch weights that are missing.

  Returns:
    The exit code of process 0.

  Raises:
    UserError: if images or weights are not those of process 0.
  """
  settings = registry.settings(config)
  compilation.keep_programs()
  with tempfile.TemporaryDirectory() as scratch:
    own = _Own(settings, pathlib.Path(scratch), download)
    done: dict[str, Callable[[processes.Job], None]] = {
      'features': functools.partial(_features, own),
      'heads': heads_stage.assist,
    }
    jobs = processes.jobs()
    while True:
      try:
        job = next(jobs)
      except StopIteration as ended:
        return ended.value
      done[job.name](job)


class _Own:
  """Images and weights, read when they are first asked for."""

  def __init__(self, settings: Settings, scratch: pathlib.Path, download: bool):
    self._settings, self._scratch = settings, scratch
    self._download = download

  @functools.cached_property
  def source(self) -> sources.ImageSource:
    source = stages.read_one(self._settings, self._scratch).source
    assert isinstance(source, sources.ImageSource)
    return source

  @functools.cached_property
  def backbone(self) -> backbones.Backbone:
    found = stages.load_backbone(self._settings, download=self._download)
    assert found is not None
    return found


def _features(own: _Own, job: processes.Job) -> None:
  """See `features.extract`."""
  here, there = own.backbone.identity, job.words['network']
  for what, mine, leaders in zip(
    ('network', 'preprocessing', 'weights'), here, there, strict=True
  ):
    if mine != leaders:
      raise UserError(
        f'The {what} here ({mine}) is not that of process 0 ({leaders}): give'
        ' all processes the same flags and files.'
      )
  digests, words = exchange.told(job)
  source = sources.Unchanged(own.source, digests)
  plan = features.Plan(own.backbone, source, fingerprint=None, **words)
  features.compute(
    plan,
    [slice(*block) for block in job.words['blocks']],
    lambda block, rows: None,
    together=True,
  )
