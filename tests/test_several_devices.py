"""Several accelerators: each holds its share, and bits are those of one.

The accelerators are devices of the host, in a process that has so many.
"""

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from heterojax.errors import UserError
from heterojax.heads import memory
from heterojax.heads.epochs import Training

pytestmark = pytest.mark.trains

_HEADS_PROGRAM = """
import json
import jax, numpy as np
from heterojax.compute import platform
from heterojax.heads import ensemble
from heterojax.run import checkpoint

HEADS, DIM = 24, 20
rng = np.random.default_rng(0)
x = rng.normal(size=(90, DIM)).astype(np.float32)
y = (x[:, 0] + rng.normal(size=90) > 0).astype(int)
members = [
  ensemble.Member(
    rng.choice(60, size), np.arange(60, 90),
    jax.random.key(h), jax.random.key(HEADS + h),
  )
  for h, size in enumerate(rng.integers(9, 40, HEADS))
]
held = {}


class Watched:
  # Looks at what lies on the devices between two epochs.
  def latest(self):
    return 0, {}

  def due(self):
    for array in jax.live_arrays():
      if array.ndim == 2 and array.shape == (HEADS, DIM):
        for shard in array.addressable_shards:
          held.setdefault(shard.device.id, set()).add(shard.data.shape[0])
    return False


with platform.use('tpu'):
  heads = ensemble.train(
    x, y, members, ensemble.Training(6, 2, 8, 0.05), steps=Watched()
  )
  print(json.dumps({
    'held': sorted((device, sorted(n)) for device, n in held.items()),
    'heads': checkpoint.digest(heads._asdict()),
    'outputs': checkpoint.digest(ensemble.predict(heads.params, x)),
    'few': np.asarray(
      ensemble.predict(jax.tree.map(lambda p: p[:3], heads.params), x)
    ).tolist(),
  }))
"""
_ROWS_PROGRAM = """
import importlib, json, re
import jax, numpy as np
from heterojax import cluster
from heterojax.cluster import moments
from heterojax.compute import division, platform, sharded_rows

kmeans = importlib.import_module('heterojax.cluster.kmeans')  # No function.
N, D, K = 32768, 32, 10
rng = np.random.default_rng(0)
x = rng.normal(size=(N, D)).astype(np.float32)
x += 9 * rng.normal(size=(K, D)).astype(np.float32)[np.arange(N) % K]
divided = jax.device_put(x, division.split())


def planned(jitted, *args):
  # Bytes that a device needs besides, and shapes that it gathers.
  made = jitted.lower(*args).compile()
  gathered = re.findall(r'= (\\S+) all-gather', made.as_text())
  return made.memory_analysis().temp_size_in_bytes, gathered


with platform.use('tpu'):
  found = cluster.kmeans(divided, K, init=x[:K])
  want = cluster.kmeans(x, K, init=x[:K])
  mean = x.mean(axis=0)
  with sharded_rows.of(divided):
    clustering = planned(kmeans._fit_from, divided, None, x[:K], 1e-4, 300)
    products = planned(moments._on_device, divided, mean, False)
  squares = np.triu(moments.second_moments(divided, mean, False))
  true = np.triu((x - mean).astype(float).T @ (x - mean))
print(json.dumps({
  'devices': [sharded_rows.devices_of(divided), sharded_rows.devices_of(x)],
  'labels': int(np.sum(np.asarray(found.labels) != np.asarray(want.labels))),
  'n_iter': [int(found.n_iter), int(want.n_iter)],
  'inertia': abs(float(found.inertia / want.inertia) - 1),
  'squares': float(np.abs(squares - true).max() / true.max()),
  'share': x.nbytes // 8,
  'clustering': clustering,
  'products': products,
}))
"""


def _on(devices: int, program: str) -> dict[str, Any]:
  given = {'JAX_NUM_CPU_DEVICES': str(devices), 'JAX_PLATFORMS': 'cpu'}
  done = subprocess.run(
    [sys.executable, '-c', program],
    env=os.environ | given,
    capture_output=True,
    text=True,
    check=False,
  )
  assert not done.returncode, done.stderr
  return json.loads(done.stdout)


@pytest.mark.slow
def test_each_device_holds_its_share_and_all_give_the_bits_of_one():
  one, eight = _on(1, _HEADS_PROGRAM), _on(8, _HEADS_PROGRAM)
  assert one.pop('held') == [[0, [24]]]
  (first, rows), *others = eight.pop('held')
  assert others == [[device, [3]] for device in range(1, 8)]
  # The first device is the host's, where the heads of all were begun.
  assert first == 0 and 3 in rows
  # Of fewer heads than devices these divide the rows.
  few = [np.array(said.pop('few')) for said in (one, eight)]
  assert few[0].shape == (3, 90)
  np.testing.assert_allclose(few[1], few[0], rtol=1e-5, atol=1e-6)
  assert one == eight


@pytest.mark.slow
def test_rows_that_devices_divide_stay_where_they_are():
  said = _on(8, _ROWS_PROGRAM)
  assert said['devices'] == [8, 1]
  assert said['labels'] == 0
  assert len({*said['n_iter']}) == 1
  assert said['inertia'] < 1e-5
  assert said['squares'] < 1e-5
  for what in ('clustering', 'products'):
    temporary, gathered = said[what]
    # The whole matrix would be eight times as much.
    assert temporary < 3 * said['share'], what
    assert not [shape for shape in gathered if '32768,32' in shape]


_LONG = Training(epochs=10, patience=3, batch_size=8, learning_rate=1e-3)
_V5E = 15_750_000_000


def test_heads_that_do_not_fit_at_once_are_trained_in_turns():
  need = memory.need(_LONG, 1428, 208, 62_720)
  # XLA plans 4.0 GB of arguments that it may overwrite, and 10.2 GB besides,
  # for a step of 4,000 such heads on a TPU v5e.
  assert 4000 * need.head == pytest.approx(4.0e9, rel=0.01)
  assert 4000 * need.step == pytest.approx(10.2e9, rel=0.05)
  assert memory.turns(need, 4000, 1, _V5E) == 2
  assert memory.turns(need, 4000, 8, _V5E) == 1
  assert memory.turns(need, 4000, 1, None) == 1
  # Every turn fits with what stays.
  for heads in (1000, 4000, 8000, 12_000):
    at_once = -(-heads // memory.turns(need, heads, 1, _V5E))
    assert need.fixed + heads * need.head + at_once * need.step < _V5E


def test_heads_that_never_fit_are_refused():
  need = memory.need(_LONG, 1428, 208, 62_720)
  with pytest.raises(UserError, match='20000 heads need 22.. GB on each of 1'):
    memory.turns(need, 20_000, 1, _V5E)
