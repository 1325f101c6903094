"""Tests of the measured ceiling of arithmetic."""

from collections.abc import Callable, Iterator
import contextlib
import itertools
import subprocess
import sys
import time

import numpy as np
import pytest

from heterojax import features
from heterojax.compute import ceiling
from heterojax.compute import cores

# Two units of 512 bits, a product and a sum each, at a clock of 6 GHz.
_MOST_OF_A_CORE = 2 * 16 * 2 * 6e9


@pytest.mark.parametrize('dtype', features.DTYPES)
def test_it_is_possible(dtype: str) -> None:
  start = time.process_time()
  found = ceiling.flops_per_second(dtype)
  # A second of each core, whatever else runs.
  assert time.process_time() - start < 10 * cores.number()
  # Matrix units take bfloat16 at sixteen times that rate.
  most = _MOST_OF_A_CORE * (1 if dtype == 'float32' else 16)
  assert 1e8 < found < cores.number() * most


def test_it_is_that_of_numpy_within_an_order() -> None:
  """BLAS has one product and all cores."""
  x = np.ones((512, 512), np.float32)
  seconds = []
  # So short that some are not interrupted on a machine that has more to do.
  for _ in range(100):
    start = time.perf_counter()
    x @ x
    seconds.append(time.perf_counter() - start)
  rate = 2 * 512**3 / min(seconds)
  assert rate / 10 < ceiling.flops_per_second('float32') < rate * 10


def test_the_best_turn_counts(monkeypatch: pytest.MonkeyPatch) -> None:
  """Of three products; a made-up clock says how long each turn takes."""
  clock, lengths = [0.0], itertools.cycle([9.0, 0.05, 0.04, 0.2])

  def turn() -> None:
    clock[0] += next(lengths)

  @contextlib.contextmanager
  def turns(side: int, dtype: str) -> Iterator[tuple[Callable[[], None], int]]:
    assert (side, dtype) == (512, 'float32')
    yield turn, 3

  monkeypatch.setattr(ceiling, '_by_cores', turns)
  monkeypatch.setattr(ceiling.time, 'perf_counter', lambda: clock[0])
  # The first turn, of 9 s, only allocates.
  found = ceiling.flops_per_second('float32')
  assert found == pytest.approx(3 * 2 * 512**3 / 0.04)


def test_every_core_has_a_product_of_its_own(
  monkeypatch: pytest.MonkeyPatch, use_cores: Callable[[int], None]
) -> None:
  use_cores(3)
  calls = []
  original = cores.compiled

  def counted(*arguments):
    def counting(program):
      def run(*factors):
        calls.append([f.shape for f in factors])
        return program(*factors)

      return run

    return [counting(program) for program in original(*arguments)]

  monkeypatch.setattr(cores, 'compiled', counted)
  with ceiling._by_cores(64, 'float32') as (turn, products):
    turn()
  assert products == 3
  assert calls == [[(64, 64)] * 2] * 3


_TWO_DEVICES = """
import os
os.environ['JAX_PLATFORMS'] = 'cpu'
os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=2'
import heterojax, jax
from heterojax.compute import ceiling
assert len(jax.local_devices()) == 2
with ceiling._by_devices(64, 'float32') as (turn, products):
  turn()
assert products == 2
print(ceiling.flops_per_second('float32'))
"""


@pytest.mark.slow
def test_devices_share_the_work() -> None:
  done = subprocess.run(
    [sys.executable, '-c', _TWO_DEVICES],
    capture_output=True,
    text=True,
    check=True,
  )
  # Each of them may use all cores.
  assert 1e8 < float(done.stdout) < cores.number() * _MOST_OF_A_CORE
