"""Memory and time of each stage of a study on a target, before it runs.

On CPU the time is processor time of cores that do nothing else: rates that are
measured here, in about two seconds, times numbers that the plan knows, and what
tracing and compiling take, which hardly depends on the data. On an accelerator
it is a roofline: the longer of what published rates of products and of memory
allow; its host decodes and analyses at the rate of this machine's cores.
"""

from collections.abc import Mapping, Sequence
import time
from typing import NamedTuple

import jax
import numpy as np

from heterojax import backbones
from heterojax import features
from heterojax.backbones import flops as flops_lib
from heterojax.compute import ceiling
from heterojax.compute import cores
from heterojax.compute import forward
from heterojax.compute import liveness
from heterojax.compute import platform
from heterojax.compute import targets
from heterojax.datasets import sources
from heterojax.heads import memory as heads_memory
from heterojax.heads import optimum
from heterojax.heads import penalty
from heterojax.studies import counters
from heterojax.studies import memory as memory_lib
from heterojax.studies import stages
from heterojax.studies.answer import budget
from heterojax.studies.answer import stage as answer_stage
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads

# Processor seconds of imports, tracing and compiling with an empty cache, where
# `_pace` took `_PACE`; measured on two cores of a busy machine.
_PACE = 0.036
_FIXED = {
  'start': 4.0,
  'data': 0.1,
  'features': 1.0,
  'clusters': 3.8,
  'heads': 3.0,
  'evaluation': 0.3,
  'verdict': 33.0,
  'results': 0.4,
  'report': 3.8,
}
_OF_OPTIMA = 5.5  # Where heads are at their optimum.
# What a sample-size study compiles for each of its sizes.
_OF_SIZE = {'clusters': 3.8, 'heads': 5.5, 'results': 3.8}
# The share of the rate of large products that draws, and heads, reach on CPU.
_OF_DRAWS, _OF_HEADS = 0.34, 0.07
# Steps of Newton's method for a head at its optimum, as draws are planned.
_STEPS = 2
_DECODED, _SECONDS = 16, 0.5


class Work(NamedTuple):
  """What a study does, as far as its plan tells.

  Attributes:
    pictures: that the network sees.
    width: D.
    network: operations of an image; 0 where features are given.
    heads: operations of all heads that are trained in epochs, at most.
    optima: operations of heads at their optimum.
    draws: operations that the draws of the answer are planned by.
    sizes: how many sizes the samples have.
  """

  pictures: int
  width: int
  network: float
  heads: float
  optima: float
  draws: float
  sizes: int


class Stage(NamedTuple):
  """One stage.

  Attributes:
    name: of it.
    host: bytes on the host.
    device: bytes on each accelerator.
    seconds: predicted.
    processor: seconds of all cores together; None on an accelerator.
  """

  name: str
  host: float
  device: float
  seconds: float
  processor: float | None = None


class Rates(NamedTuple):
  """What a core of this machine does.

  Attributes:
    decode: processor seconds of a picture.
    network: processor seconds of an image; None where features are given.
    products: operations in a second.
    slower: than where `_FIXED` was measured.
  """

  decode: float
  network: float | None
  products: float
  slower: float


def work(
  settings: Settings,
  backbone: backbones.Backbone | None,
  samples: Sequence[Samples],
  pictures: int,
  width: int,
  heads: Heads | None,
) -> Work:
  """Counts what a study does."""
  each = 0.0
  if backbone is not None:
    counted = flops_lib.per_image(backbone, settings.data.image_size)
    each = counted if isinstance(counted, float) else 0.0
  trained, optima = 0.0, 0.0
  rows = [len(fold.of('train')) for fold in samples]
  if heads and settings.at_optimum:
    fits = 1 + len(penalty.VALUES) * optimum.FOLDS
    optima = _STEPS * fits * sum(float(m) * min(m, width) ** 2 for m in rows)
  if heads and not settings.at_optimum:
    training = stages.training(settings, samples[0].classes)
    of_row = sum(counters.flops_per_row(training, width))
    trained = heads.passes * settings.heads.epochs * of_row
  draws = 0.0
  if not answer_stage.why_not(settings):
    n = max(int(np.sum(fold.is_original)) for fold in samples)
    classes = len(samples[0].classes)
    number, _ = answer_stage.draws(settings, n, width, classes)
    draws = budget.operations(
      number, n, width, settings.split.folds, settings.cluster.k, classes
    )
  sizes = len({
    m + len(s.of('test')) for m, s in zip(rows, samples, strict=True)
  })
  return Work(pictures, width, each, trained, optima, draws, sizes)


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
    ceiling.flops_per_second('float32') / cores.number(),
    _pace() / _PACE,
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


def _pace() -> float:
  """Processor seconds to trace and lower a program that is not kept."""

  def program(x: jax.Array) -> jax.Array:
    for _ in range(60):
      x = jax.numpy.where(x > 0, jax.numpy.tanh(x @ x.T) @ x, x.sum(0))
    return x

  x = jax.ShapeDtypeStruct((8, 8), np.float32)
  jax.jit(program).lower(x)  # What a process does once.
  start = time.thread_time()  # Other threads may still be at work.
  jax.jit(lambda x: program(x) + 1).lower(x)
  return time.thread_time() - start


def on_cpu(
  settings: Settings, todo: Work, rates: Rates, host: Mapping[str, float]
) -> list[Stage]:
  """The stages on this machine.

  Args:
    settings: of the study.
    todo: its work.
    rates: measured.
    host: bytes of each stage.
  """
  parallel, found = _parallel(todo, rates), []
  for name in _FIXED:
    alone = _fixed(settings, todo, name) * rates.slower
    shared = parallel.get(name, 0.0)
    seconds = alone + shared / cores.number()
    found.append(Stage(name, host[name], 0, seconds, alone + shared))
  return found


def _parallel(todo: Work, rates: Rates) -> dict[str, float]:
  """Processor seconds of what all cores share."""
  of_draws = _OF_DRAWS * rates.products
  network = rates.network or 0.0
  return {
    'data': todo.pictures * rates.decode,
    'features': todo.pictures * (rates.decode + network),
    'heads': todo.heads / (_OF_HEADS * rates.products) + todo.optima / of_draws,
    'verdict': todo.draws / of_draws,
  }


def _fixed(settings: Settings, todo: Work, name: str) -> float:
  if settings.study == 'sample_size' and name in _OF_SIZE:
    return _OF_SIZE[name] * todo.sizes
  if name == 'heads' and settings.at_optimum:
    return _OF_OPTIMA
  if name == 'verdict' and answer_stage.why_not(settings):
    return 0.0
  return _FIXED[name]


def on_accelerators(
  settings: Settings,
  backbone: backbones.Backbone | None,
  target: targets.Target,
  todo: Work,
  rates: Rates,
  host: Mapping[str, float],
  need: heads_memory.Need | None,
  heads: int,
) -> list[Stage]:
  """The stages on a target; a forecast that nothing here has checked.

  Args:
    settings: of the study.
    backbone: its network, if it has one.
    target: where it would run.
    todo: its work.
    rates: measured, of a core of the host.
    host: bytes of each stage on the host.
    need: memory of the heads; None where they are at their optimum.
    heads: how many there are.

  Raises:
    UserError: if the heads do not fit, however they are divided.
  """
  device = dict.fromkeys(_FIXED, 0.0)
  seconds = {
    name: spent / target.cores for name, spent in _parallel(todo, rates).items()
  }
  if backbone is not None:
    device['features'], each = _network(settings, backbone, target)
    of_network = todo.pictures * each / target.devices
    decoding = todo.pictures * rates.decode / target.cores
    seconds['features'] = max(decoding, of_network)
  if need is not None:
    turns = heads_memory.turns(need, heads, target.devices, target.memory)
    own = -(-heads // target.devices)
    device['heads'] = (
      need.fixed + own * need.head + -(-own // turns) * need.step
    )
    # Two operations for each weight that a step reads and writes.
    moved = 4 * todo.heads / target.bandwidth
    products = todo.heads / target.products['float32']
    seconds['heads'] = max(moved, products) / target.devices
  if 'float64' in target.products:
    seconds['verdict'] = todo.draws / target.products['float64']
  return [
    Stage(
      name,
      host[name],
      device[name],
      _fixed(settings, todo, name) * rates.slower + seconds.get(name, 0.0),
    )
    for name in _FIXED
  ]


def _network(
  settings: Settings, backbone: backbones.Backbone, target: targets.Target
) -> tuple[float, float]:
  """Bytes of a batch on a device, and seconds of an image."""
  how = stages.extraction(settings)
  batch = settings.features.batch_size or 256 * target.devices
  own = -(-batch // target.devices)
  images = jax.ShapeDtypeStruct(
    (own, how.image_size, how.image_size, 3), np.uint8
  )
  with platform.use(target.platform):
    applied, params = features.network(backbone, how)
    peak = liveness.peak(jax.make_jaxpr(applied)(params, images))
    work = flops_lib.per_image(backbone, how.image_size)
  products = 0.0 if not isinstance(work, float) else work
  each = max(
    products / target.products[how.dtype], peak.moved / own / target.bandwidth
  )
  return peak.arguments + peak.temporary, each


def host_memory(need_of_features: float, analysed: float) -> dict[str, float]:
  """Bytes that each stage holds on the host, with those of programs."""
  own = {'features': need_of_features} | dict.fromkeys(
    ('clusters', 'heads', 'evaluation', 'verdict', 'results'), analysed
  )
  return {name: memory_lib.PROGRAMS + own.get(name, 0.0) for name in _FIXED}


def table(title: str, note: str, found: Sequence[Stage]) -> str:
  """The stages as text."""
  with_device = any(stage.device for stage in found)
  lines = [f'On {title}, {note}:']
  device = f'{"of each device":>17}' if with_device else ''
  lines.append(f'{"stage":<12}{"memory":>10}{device}{"time":>11}')
  for stage in found:
    held = f'{stage.device / 1e9:>14.2f} GB' if with_device else ''
    lines.append(
      f'{stage.name:<12}{stage.host / 1e9:>7.2f} GB{held}'
      f'{stage.seconds:>9.1f} s'
    )
  total = sum(stage.seconds for stage in found)
  spent = [s.processor for s in found if s.processor is not None]
  of_cores = f', {sum(spent):.0f} s of all cores together' if spent else ''
  lines.append(f'In all about {total:.0f} s{of_cores}.')
  return '\n'.join(lines)
