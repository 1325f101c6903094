"""Robustness of features against a column, by hand and by loops."""

import numpy as np
import pytest

from heterojax.stats import robustness


def _data(n: int = 120, of_class: float = 1.0, of_site: float = 1.0):
  rng = np.random.default_rng(0)
  y, site = rng.integers(2, size=n), rng.integers(3, size=n)
  x = rng.standard_normal((n, 8))
  x[:, 0] += of_class * 4 * y
  x[:, 1:4] += of_site * 4 * np.eye(3)[site]
  return x, y, site, np.arange(n)


def test_class_alone_and_column_alone() -> None:
  alone = robustness.robustness(*_data(of_site=0))
  other = robustness.robustness(*_data(of_class=0))
  assert alone.index > 0.9 and alone.margin > 0
  assert other.index < 0.4 and other.margin < 0
  assert alone.dominated < 0.1 < 0.8 < other.dominated


def test_is_a_loop() -> None:
  x, y, site, _ = _data(60)
  units = np.arange(60) // 2
  found = robustness.robustness(x, y, site, units, (7,))
  z = x / np.linalg.norm(x, axis=1, keepdims=True)
  first = second = 0
  margins = []
  for i in range(60):
    others = [j for j in range(60) if units[j] != units[i]]
    others.sort(key=lambda j: 1 - z[i] @ z[j])
    a = [j for j in others if y[j] == y[i] and site[j] != site[i]]
    b = [j for j in others if y[j] != y[i] and site[j] == site[i]]
    first += len(set(a) & set(others[:7]))
    second += len(set(b) & set(others[:7]))
    if min(len(a), len(b)) >= 5:
      near, far = (np.mean([1 - z[i] @ z[j] for j in o[:5]]) for o in (a, b))
      margins.append((far - near) / (far + near))
  assert found.index == pytest.approx(first / (first + second))
  assert found.undefined == 60 - len(margins)
  assert found.margin == pytest.approx(np.median(margins))
  assert found.dominated == pytest.approx(np.mean(np.array(margins) <= 0))


def test_images_without_neighbours_have_no_margin() -> None:
  x, y, site, units = _data(40)
  site[:] = 0
  site[0] = 1
  found = robustness.robustness(x, y, site, units, (5,))
  # Only the first one has five of its class with another value.
  assert found.undefined == 40
  assert np.isnan(found.margin)


def test_too_few_images() -> None:
  x, y, site, units = _data(4)
  with pytest.raises(ValueError, match='no 5 neighbours'):
    robustness.robustness(x, y, site, units)
