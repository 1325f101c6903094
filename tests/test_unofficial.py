"""What JAX has no public name for may be missing."""

import sys

import jax
import numpy as np
import pytest

from heterojax.compute import cores
from heterojax.compute import unofficial
from heterojax.heads import ensemble


def test_what_this_jax_has() -> None:
  jax.devices()
  assert unofficial.jax_has_started()
  assert unofficial.cpu_client() is not None


def test_words_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
  keys = jax.random.split(jax.random.key(3), 4)
  assert all(unofficial.words_of(key) is not None for key in keys)
  want = jax.random.key_data(keys)
  np.testing.assert_array_equal(ensemble._key_data([*keys]), want)
  monkeypatch.setattr(unofficial, 'words_of', lambda key: None)
  np.testing.assert_array_equal(ensemble._key_data([*keys]), want)


def test_without_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
  jax.devices()
  for module, name in (
    ('jax._src.xla_bridge', 'backends_are_initialized'),
    ('jaxlib.xla_client', 'make_cpu_client'),
  ):
    monkeypatch.delattr(sys.modules[module], name)
  assert not unofficial.jax_has_started()
  cores._devices.cache_clear()
  # One device for all cores: slower, and the same numbers.
  devices = cores.devices()
  cores._devices.cache_clear()
  assert set(devices) == set(jax.local_devices()[:1])
  assert len(devices) == cores.number()


def test_without_the_modules(monkeypatch: pytest.MonkeyPatch) -> None:
  for module in ('jax._src.xla_bridge', 'jaxlib.xla_client'):
    monkeypatch.delitem(sys.modules, module)
  assert not unofficial.jax_has_started()
  assert unofficial.cpu_client() is None
