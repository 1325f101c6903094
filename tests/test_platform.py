"""Tests of the platform that programs are made for."""

import concurrent.futures
import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import heterojax
from heterojax.cluster import forms
from heterojax.compute import cores
from heterojax.compute import forward
from heterojax.compute import platform

_LIBRARY = pathlib.Path(heterojax.__file__).parent


def _marked(x: jax.Array) -> jax.Array:
  """x, and the place of the platform among all."""
  return x + platform.PLATFORMS.index(platform.of_programs())


def test_it_is_jaxs_own_unless_a_context_says_otherwise() -> None:
  assert platform.of_programs() == jax.default_backend()
  with platform.use('tpu'):
    with platform.use('cuda'):
      assert platform.of_programs() == 'cuda'
    assert platform.of_programs() == 'tpu'
  assert platform.of_programs() == jax.default_backend()
  with pytest.raises(ValueError, match='rocm'), platform.use('rocm'):
    pass


@pytest.mark.parametrize(
  'backend, want', [('cpu', 'cpu'), ('gpu', 'cuda'), ('tpu', 'tpu')]
)
def test_jaxs_names(
  backend: str, want: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  assert platform.of_programs() == want


def test_another_thread_is_not_touched() -> None:
  with (
    platform.use('tpu'),
    concurrent.futures.ThreadPoolExecutor(1) as pool,
  ):
    assert pool.submit(platform.of_programs).result() == 'cpu'


def test_no_program_is_taken_for_that_of_another_platform() -> None:
  """What JAX keeps, what cores keep, and what devices share."""
  x, jitted = np.zeros((8, 2, 2, 3), np.float32), jax.jit(_marked)
  network = lambda params, x: params + _marked(x)[:, 0, 0, 0]  # noqa: E731
  for made_for in (*platform.PLATFORMS, *platform.PLATFORMS):
    want = platform.PLATFORMS.index(made_for)
    with platform.use(made_for):
      assert jitted(x).max() == want
      assert jitted.trace(x).lower().compile()(x).max() == want
      programs = cores.program(_marked, x)
      assert programs[0](jax.device_put(x, cores.devices()[0])).max() == want
      with forward.batches(network, np.float32(0), x.shape) as run:
        assert run(x, 8)().tolist() == [want] * 8


def test_five_files_ask() -> None:
  asking = re.compile(r'\bplatform\.of_programs\(|default_backend\(\) [!=]=')
  files = {
    str(file.relative_to(_LIBRARY))
    for file in _LIBRARY.rglob('*.py')
    if asking.search(file.read_text())
  }
  assert files == {
    'backbones/forms.py',
    'cluster/forms.py',
    'compute/cores.py',
    'compute/forward.py',
    'heads/forms.py',
  }


@pytest.mark.parametrize('made_for', platform.PLATFORMS)
def test_sums_of_clusters(made_for: platform.Platform) -> None:
  """Of labels that are of no cluster, too."""
  rng = np.random.default_rng(0)
  x = rng.normal(size=(40, 3)).astype(np.float32)
  labels = rng.integers(0, 5, 40)
  labels[labels == 3] = 5  # One is empty.
  want = np.array([x[labels == j].sum(axis=0) for j in range(5)])
  with platform.use(made_for):
    found = forms.sums(jnp.asarray(x), jnp.asarray(labels), 5)
    ones = forms.sums(jnp.ones(40), jnp.asarray(labels), 5)
    inside = jnp.asarray(labels[labels < 5])
    counts = forms.counts(inside, 5)
  np.testing.assert_allclose(found, want, atol=1e-5)
  np.testing.assert_array_equal(ones, np.bincount(labels, minlength=5)[:5])
  np.testing.assert_array_equal(counts, np.bincount(inside, minlength=5))
  assert counts.dtype == jnp.int32
