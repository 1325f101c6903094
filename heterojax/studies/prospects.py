"""Memory and time of each stage of a study on a target, before it runs.

On CPU the time is processor time of cores that do nothing else: rates that are
measured here, in about two seconds, times numbers that the plan knows, and what
tracing and compiling take, which hardly depends on the data. On an accelerator
it is a roofline: the longer of what published rates of products and of memory
allow; its host decodes and analyses at the rate of this machine's cores.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from heterojax import backbones
from heterojax import features
from heterojax.backbones import flops as flops_lib
from heterojax.compute import cores
from heterojax.compute import liveness
from heterojax.compute import platform
from heterojax.compute import targets
from heterojax.datasets import sources
from heterojax.heads import memory as heads_memory
from heterojax.studies import memory as memory_lib
from heterojax.studies import rates as rates_lib
from heterojax.studies import stages
from heterojax.studies import workload
from heterojax.studies.answer import stage as answer_stage
from heterojax.studies.samples import Samples
from heterojax.studies.settings import Settings
from heterojax.studies.study import Heads

# Processor seconds of imports, tracing and compiling with an empty cache, on a
# machine whose `Rates.slower` is 1: two cores of a busy one.
_FIXED = {
  'start': 4.0,
  'data': 0.1,
  'features': 0.1,
  'clusters': 4.3,
  'heads': 4.0,
  'evaluation': 0.4,
  'verdict': 42.0,
  'results': 0.2,
  'report': 3.0,
}
# With a network.
_OF_PICTURES = {'features': 4.2, 'clusters': 6.0, 'verdict': 49.0}
# Heads at their optimum have shapes of their own for each size; those that are
# trained in epochs are padded to one.
_OF_OPTIMA = 6.0
# What a sample-size study compiles for each of its sizes.
_OF_SIZE = {'clusters': 2.4, 'results': 3.6}
# The share of the rate of large products that draws, and heads, reach on CPU.
_OF_DRAWS, _OF_HEADS = 0.34, 0.07


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


def on_target(
  name: str,
  settings: Settings,
  backbone: backbones.Backbone | None,
  source: sources.Source,
  samples: Sequence[Samples],
  pictures: int,
  d: int,
  heads: Heads | None,
  host: dict[str, float],
) -> str:
  """The table of a target's stages.

  Args:
    name: one of `targets.NAMES`.
    settings: of the study.
    backbone: its network, if it has one.
    source: of the images.
    samples: of every fold.
    pictures: P.
    d: of a feature vector.
    heads: that are trained, if any are.
    host: see `host_memory`.

  Raises:
    UserError: if the heads do not fit into the target.
  """
  todo = workload.work(settings, backbone, samples, pictures, d, heads)
  need = None
  if heads and not settings.at_optimum:
    training = stages.training(settings, samples[0].classes)
    validated = len(stages.validation(samples[0]))
    need = heads_memory.need(training, pictures, validated, d)
  rates = rates_lib.measured(settings, backbone, source, samples)
  if name == targets.CPU:
    found = on_cpu(settings, todo, rates, host)
    note = f'on {cores.number()} cores that do nothing else'
    return table('this machine', note, found)
  target = targets.TARGETS[name]
  found = on_accelerators(
    settings,
    backbone,
    target,
    todo,
    rates,
    host,
    need,
    heads.number if heads else 0,
  )
  note = 'a forecast from published figures that no run has checked'
  said = table(target.title, note, found)
  if need is not None and heads:
    turns = heads_memory.turns(
      need, heads.number, target.devices, target.memory
    )
    if turns > 1:
      said += f'\nEach device trains its heads in {turns} turns.'
  return said


def on_cpu(
  settings: Settings,
  todo: workload.Work,
  rates: rates_lib.Rates,
  host: Mapping[str, float],
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


def _parallel(todo: workload.Work, rates: rates_lib.Rates) -> dict[str, float]:
  """Processor seconds of what all cores share."""
  of_draws = _OF_DRAWS * rates.products
  network = rates.network or 0.0
  return {
    'data': todo.pictures * rates.decode,
    'features': todo.pictures * (rates.decode + network),
    'heads': todo.heads / (_OF_HEADS * rates.products) + todo.optima / of_draws,
    'verdict': todo.draws / of_draws,
  }


def _fixed(settings: Settings, todo: workload.Work, name: str) -> float:
  if settings.study == 'sample_size' and name in _OF_SIZE:
    return _OF_SIZE[name] * todo.sizes
  if name == 'heads' and settings.at_optimum:
    sizes = todo.sizes if settings.study == 'sample_size' else 1
    return _OF_OPTIMA * sizes
  if name == 'verdict' and answer_stage.why_not(settings):
    return 0.0
  if settings.data.dataset != 'features':
    return _OF_PICTURES.get(name, _FIXED[name])
  return _FIXED[name]


def on_accelerators(
  settings: Settings,
  backbone: backbones.Backbone | None,
  target: targets.Target,
  todo: workload.Work,
  rates: rates_lib.Rates,
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
    traced = jax.make_jaxpr(applied)(params, images)
    work = flops_lib.per_image(backbone, how.image_size)
  peak = liveness.peak(traced, target.platform)
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
