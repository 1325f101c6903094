"""Seconds of a whole answer: python -m benchmarks.answers.

Three questions on the features of made-up images (one cloud, 4 clusters), as a
study with one split asks them: once with everything to compile, once without.
"""

import sys
import time

from absl import flags
import jax
import numpy as np

from heterojax import cli
from heterojax.cluster.partitions import Algorithm
from heterojax.cluster.partitions import partitions
from heterojax.compute import arithmetic
from heterojax.studies.answer import measure
from heterojax.verdict import worlds

_K = 4
_FLAGS = (
  (flags.DEFINE_integer, 'images', 400, 'Images.'),
  (flags.DEFINE_list, 'features', ['1280', '62720'], 'Dimensions.'),
  (flags.DEFINE_list, 'worlds', ['one_cloud', 'reversed'], 'Names of worlds.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _answers(v: flags.FlagValues) -> int:
  arithmetic.start()
  n = v.images
  for d in map(int, v.features):
    for name in v.worlds:
      world = worlds.WORLDS[name](worlds.key(0, name, d), n, d)
      labels = partitions(
        world.x[None, :, :64],
        np.ones((1, n), np.float32),
        jax.random.key(0)[None, None],
        Algorithm('kmeans', _K, n_init=3),
      ).labels[0, 0]
      part = np.arange(n) % 5 == 0
      split = measure.Split(
        np.flatnonzero(~part),
        np.flatnonzero(part),
        np.array(labels),
        np.random.default_rng(0).random(n) < 0.2,
      )
      seconds = []
      for _ in range(2):
        start = time.perf_counter()
        found = measure.classification(
          [split],
          [world.x],
          world.y,
          np.arange(n),
          _K,
          jax.random.key(1),
          measure.Draws(199, 199, 9999),
          standardised=False,
        )
        seconds.append(time.perf_counter() - start)
      heads = measure.heads(measure.Draws(199, 199, 9999), n, _K, 1)
      asked = found.measured.one_rule
      print(
        f'{name}, {n} images of {d} features: {seconds[0]:.1f} s, then'
        f' {seconds[1]:.1f} s; {asked.draws} worlds, p = {asked.p_value}; at'
        f' most {heads} heads',
        flush=True,
      )
  return 0


if __name__ == '__main__':
  sys.exit(cli.run(_FLAGS, _answers, sys.argv, about=__doc__, config=False))
