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


def _loop(
  x: np.ndarray, y: np.ndarray, site: np.ndarray, units: np.ndarray, ks: tuple
) -> robustness.Robustness:
  """The same, image by image, of classes 0, 1, ..."""
  n, z = len(x), [row / (np.linalg.norm(row) or 1) for row in x]
  others, margins, scores = [], [], {}
  for i in range(n):
    away = {
      j: max(1 - z[i] @ z[j], 0) for j in range(n) if units[j] != units[i]
    }
    others.append(dict(sorted(away.items(), key=lambda item: item[1])))
    kinds = ([], [])
    for j, d in others[i].items():
      if (y[j] == y[i]) != (site[j] == site[i]):
        kinds[int(y[j] != y[i])].append(d)
    if min(map(len, kinds)) >= 5:
      a, b = (np.mean(kind[:5]) for kind in kinds)
      margins += [(b - a) / (b + a)] if a + b else []
  for k in sorted(ks):
    right = {c: [] for c in np.unique(y)}
    for i, near in enumerate(others):
      found = [np.count_nonzero(y[[*near][:k]] == c) for c in right]
      said = np.unique(y)[found == np.max(found)]
      right[y[i]].append(np.mean(said == y[i]))
    scores[k] = round(np.mean([*map(np.mean, right.values())]), 9)
  k = max(scores, key=scores.get)
  kinds = ([], [])
  for i in range(n):
    for j in [*others[i]][:k]:
      if (y[j] == y[i]) != (site[j] == site[i]):
        kinds[int(y[j] != y[i])].append(others[i][j])
  tau = np.median(kinds[0] + kinds[1]) if any(kinds) else 1
  first, second = (sum(np.exp(-np.array(d) / (tau or 1))) for d in kinds)
  share = lambda a, b: a / (a + b) if a + b else np.nan
  tail = sorted(margins)
  tail = tail[: int((len(tail) - 1) / 10) + 1]
  return robustness.Robustness(
    k,
    share(*map(len, kinds)),
    share(first, second),
    np.median(margins) if margins else np.nan,
    np.mean(np.array(margins) <= 0) if margins else np.nan,
    np.mean(tail) if margins else np.nan,
    n - len(margins),
  )


def _check(*args) -> robustness.Robustness:
  with np.errstate(all='raise'):
    got = robustness.robustness(*args)
  np.testing.assert_allclose(got, _loop(*args), rtol=1e-9, atol=1e-12)
  return got


@pytest.mark.parametrize('n', [60, 61, 200])
def test_is_a_loop(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
  monkeypatch.setattr(robustness, '_BLOCK', 64)
  x, y, site, _ = _data(n)
  _check(x, y, site, np.arange(n) // 2, (7,))
  # Of several numbers of neighbours one is best.
  found = _check(*_data(n, of_class=0.3), (21, 3, 11))
  assert not found.undefined


@pytest.mark.filterwarnings('ignore:A single label')
@pytest.mark.parametrize('n', [4, 6, 9])
def test_few_images_are_a_loop(n: int) -> None:
  """Fewer than asked about are of other patients, or of a kind; short rows."""
  rng = np.random.default_rng(n)
  for _ in range(40):
    x = 0.01 * rng.standard_normal((n, 3)) * (np.arange(n) > 0)[:, None]
    y = np.unique(rng.integers(3, size=n), return_inverse=True)[1]
    units = np.arange(n) // rng.integers(1, n)
    _check(x, y, rng.integers(2, size=n), units, (n - 1, 1))


@pytest.mark.parametrize('classes', [2, 3, 4])
def test_no_order_makes_a_difference(classes: int) -> None:
  """Of the classes, the values or the images, where votes are often equal."""
  rng = np.random.default_rng(classes)
  for seed in range(20):
    x, _, site, units = _data(80, of_class=0, of_site=seed % 3)
    x = x + rng.standard_normal(x.shape)
    y = rng.integers(classes, size=80)
    want = robustness.robustness(x, y, site, units, (2, 4, 6, 11))
    named = rng.permutation(classes)[y]
    got = robustness.robustness(x, named, 2 - site, units, (2, 4, 6, 11))
    np.testing.assert_allclose(got, want, rtol=1e-9)
    order = rng.permutation(80)
    got = robustness.robustness(
      x[order], y[order], site[order], units[order], (2, 4, 6, 11)
    )
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_distances_that_are_all_the_same() -> None:
  _, y, site, units = _data(24)
  apart = robustness.robustness(np.eye(24), y, site, units, (5,))
  assert apart.margin == apart.tail == 0 and apart.dominated == 1
  with np.errstate(all='raise'):
    same = robustness.robustness(np.ones((24, 4)), y, site, units, (5,))
  assert same.undefined == 24 and np.isnan(same.margin)
  assert same.margin_aware == pytest.approx(same.index)


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
  with pytest.raises(ValueError, match='4 images have no 5 neighbours'):
    robustness.robustness(x, y, site, units)
  with pytest.raises(ValueError, match='neighbour'):
    robustness.robustness(x, y, site, units, (4, 5))
  with pytest.raises(ValueError, match='of another patient'):
    robustness.robustness(x, y, site, 0 * units, (3,))


@pytest.mark.parametrize('most', [1, 2, 7])
def test_the_nearest_are_the_first_when_sorted(most: int) -> None:
  """Of many, which are not all sorted on the way; ties in their order."""
  away = np.random.default_rng(0).integers(500, size=(20, 1000)).astype(float)
  found = robustness._nearest(away + np.arange(1000) / 1e6, most)
  want = np.argsort(away, axis=1, kind='stable')[:, :most]
  np.testing.assert_array_equal(found, want)
