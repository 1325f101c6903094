"""What a core of this machine does, measured in about two seconds.

Everything is processor time: other work of the machine counts for little.
"""

from collections.abc import Sequence
import time
from typing import NamedTuple

import numpy as np

from heterojax import backbones
from heterojax import features
from heterojax.compute import forward
from heterojax.datasets import sources
from heterojax.studies import stages
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings

# What `_pace` took where `prospects` has its seconds from.
PACE = 0.0082
# Pictures at most, and seconds.
_DECODED, _SECONDS = 16, 0.5
_TURNS, _LOOP, _SIDE = 5, 200_000, 1024


class Rates(NamedTuple):
  """What a core of this machine does.

  Attributes:
    decode: processor seconds of a picture.
    network: processor seconds of an image; None where features are given.
    products: operations in a second.
    slower: than where `prospects` has its seconds from.
  """

  decode: float
  network: float | None
  products: float
  slower: float


def measured(
  settings: Settings,
  backbone: backbones.Backbone | None,
  source: sources.Source,
  samples: Sequence[Samples],
) -> Rates:
  """Measures this machine, in about two seconds after compiling."""
  decode, network = 0.0, None
  if backbone is not None:
    assert isinstance(source, sources.ImageSource)
    how = stages.extraction(settings)
    decode = _decoding(source, samples[0].pictures, how)
    network = _running(backbone, how, len(samples[0].pictures))
  return Rates(
    decode,
    network,
    _products(),
    _pace() / PACE,
  )


def _decoding(
  source: sources.ImageSource,
  pictures: Sequence[features.Picture],
  how: features.Extraction,
) -> float:
  start, done = time.process_time(), 0
  # Spread over all of them: they may be of several sizes.
  for i in np.linspace(0, len(pictures) - 1, _DECODED).astype(int):
    features.load_picture(source, pictures[i], how)
    done += 1
    if time.process_time() - start > _SECONDS:
      break
  return (time.process_time() - start) / done


def _running(
  backbone: backbones.Backbone, how: features.Extraction, pictures: int
) -> float:
  shape = features.batch_shape(how, pictures)
  batch = np.zeros(shape, np.float32)
  with forward.batches(*features.network(backbone, how), shape) as run:
    run(batch, shape[0])()  # The first one allocates.
    start, done = time.process_time(), 0
    while done == 0 or time.process_time() - start < _SECONDS:
      run(batch, shape[0])()
      done += shape[0]
  return (time.process_time() - start) / done


def _products() -> float:
  """Operations of a matrix product in a second of one core."""
  x, best = np.ones((_SIDE, _SIDE), np.float32), float('inf')
  for _ in range(_TURNS):
    start = time.process_time()
    np.matmul(x, x)
    best = min(best, time.process_time() - start)
  return 2 * _SIDE**3 / best


def _pace() -> float:
  """Processor seconds of a loop in Python, in which programs are traced too."""
  best = float('inf')
  for _ in range(_TURNS):
    start = time.thread_time()  # Other threads may still be at work.
    sum(i * i for i in range(_LOOP))
    best = min(best, time.thread_time() - start)
  return best
