"""Features that several processes compute together, a block each in turn."""

from collections.abc import Iterator, Sequence
import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from heterojax.compute import collectives
from heterojax.datasets import sources
from heterojax.datasets.augmentation import Transform
from heterojax.features.pictures import Extraction
from heterojax.features.pictures import Picture
from heterojax.run import processes

if TYPE_CHECKING:
  from heterojax.features import Plan


def tell(plan: 'Plan', blocks: Sequence[slice]) -> None:
  """Has the other processes compute blocks of a plan with this one.

  Args:
    plan: of the features, of images that are unchanged.
    blocks: of pictures.
  """
  assert isinstance(plan.source, sources.Unchanged)
  text = json.dumps([plan.pictures, dict(plan.source.sha256)]).encode()
  processes.share(
    'features',
    {
      'blocks': [(block.start, block.stop) for block in blocks],
      'extraction': dataclasses.asdict(plan.extraction),
      'compiled_for': plan.compiled_for,
      'network': plan.backbone.identity,
    },
    [np.frombuffer(text, np.uint8)],
  )


def told(job: processes.Job) -> tuple[dict[str, str], dict[str, Any]]:
  """What `tell` said: digests of images by their paths, and of the plan.

  Args:
    job: see there.

  Returns:
    The digests, and pictures, extraction and compiled_for by their names.
  """
  (text,) = job.arrays
  pictures, digests = json.loads(text.tobytes())
  return digests, {
    'pictures': tuple(Picture(path, Transform(*how)) for path, how in pictures),
    'extraction': Extraction(**job.words['extraction']),
    'compiled_for': job.words['compiled_for'],
  }


def own(blocks: Sequence[slice]) -> list[slice]:
  """Blocks of this process; all have as many, the last ones empty ones."""
  number = collectives.number()
  found = [*blocks[collectives.index() :: number]]
  rounds = -(-len(blocks) // number)
  return found + [slice(0, 0)] * (rounds - len(found))


def all_of(
  block: slice, rows: np.ndarray, most: int
) -> Iterator[tuple[slice, np.ndarray]]:
  """Blocks of all processes, in order.

  Args:
    block: of this one.
    rows: `[n, D]`, its features.
    most: rows of a block.

  Yields:
    A block and its rows.
  """
  padded = np.zeros((most, rows.shape[1]), rows.dtype)
  padded[: len(rows)] = rows
  ends = np.array([block.start, block.stop])
  every = collectives.gather((ends, padded))
  for (start, stop), values in zip(*every, strict=True):
    if stop > start:
      yield slice(int(start), int(stop)), values[: stop - start]
