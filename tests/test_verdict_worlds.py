"""Made-up worlds: their truth is what they say, and their bits stay."""

import jax
import numpy as np
import pytest
from scipy import special
from sklearn import linear_model

from heterojax.verdict import worlds

N = 4000


def _made(name: str, n: int = N, d: int = 6, **more) -> worlds.World:
  return worlds.WORLDS[name](worlds.key(0, name), n, d, **more)


def _log_odds(x: np.ndarray, p: np.ndarray) -> np.ndarray:
  """Coefficients and intercept of the log odds as a plane of the features."""
  design = np.column_stack([x, np.ones(len(x))]).astype(np.float64)
  return np.linalg.lstsq(design, special.logit(p), rcond=None)[0]


def _misfit(world: worlds.World, of: np.ndarray) -> float:
  """How far log odds are from any plane, in log odds."""
  p = world.p.clip(1e-15, 1 - 1e-15)
  x, p = world.x[of], p[of]
  design = np.column_stack([x, np.ones(len(x))])
  return float(np.abs(design @ _log_odds(x, p) - special.logit(p)).max())


def test_all_worlds_are_there() -> None:
  assert list(worlds.WORLDS) == [
    'one_cloud',
    'largest_axis',
    'class_clouds',
    'three_groups',
    'turned_45',
    'turned_60',
    'turned_90',
    'reversed',
    'noisier',
    'curved',
  ]
  assert list(worlds.ONE_RULE) == list(worlds.WORLDS)[:4]


@pytest.mark.parametrize('name', worlds.WORLDS)
@pytest.mark.parametrize('df', [None, 3])
def test_labels_are_drawn_from_the_true_probability(name, df) -> None:
  world = _made(name, df=df)
  assert world.x.shape == (N, 6) and world.x.dtype == np.float32
  assert set(world.y.tolist()) == {0, 1} and world.p.min() >= 0
  assert world.y.shape == world.group.shape == world.p.shape == (N,)
  # In ten parts by probability as many ones as it says.
  for part in np.array_split(np.argsort(world.p), 10):
    sd = np.sqrt(np.sum(world.p[part] * (1 - world.p[part])))
    assert abs(np.sum(world.y[part] - world.p[part])) < 4 * sd + 1e-9


@pytest.mark.parametrize('name', worlds.WORLDS)
@pytest.mark.parametrize('df', [None, 3])
def test_one_rule_is_one_plane(name: str, df: float | None) -> None:
  world = _made(name, 1000, df=df)
  # Features are single precision, and so is what a plane makes of them.
  some = np.abs(special.logit(world.p.clip(1e-15, 1 - 1e-15))) < 15
  misfit = _misfit(world, some)
  if name in worlds.ONE_RULE:
    assert misfit < 1e-4
    return
  assert misfit > 1
  if name == 'curved':
    assert not world.group.any()
    return
  # Group by group there is a plane.
  for g in range(3):
    assert _misfit(world, some & (world.group == g)) < 1e-4


@pytest.mark.parametrize(
  'name, degrees, length',
  [
    ('three_groups', 0, 1),
    ('turned_45', 45, 1),
    ('turned_60', 60, 1),
    ('turned_90', 90, 1),
    ('reversed', 180, 1),
    ('noisier', 0, 0.2),
  ],
)
def test_the_rule_of_the_first_group_is_turned(name, degrees, length) -> None:
  world = _made(name, 20_000)
  rules = []
  for of in (world.group == 0, world.group > 0):
    of &= np.abs(world.p - 0.5) < 0.499
    rules.append(_log_odds(world.x[of], world.p[of])[:-1])
  # Angle and length are those of scores in one group.
  x = world.x[world.group == 0]
  scores = [(x - x.mean(axis=0)) @ rule for rule in rules]
  one, other = (np.sqrt(np.mean(s**2)) for s in scores)
  assert one / other == pytest.approx(length, rel=0.05)
  cosine = np.mean(scores[0] * scores[1]) / one / other
  angle = np.arccos(cosine.clip(-1, 1))
  assert np.degrees(angle) == pytest.approx(degrees, abs=3)


def test_groups_are_apart_and_as_balanced_as_each_other() -> None:
  world = _made('three_groups')
  means = np.array([world.x[world.group == g].mean(axis=0) for g in range(3)])
  np.testing.assert_allclose(np.linalg.norm(means, axis=1), 6, rtol=0.05)
  shares = [world.y[world.group == g].mean() for g in range(3)]
  np.testing.assert_allclose(shares, 0.5, atol=0.05)


def test_class_clouds_are_nearly_the_classes() -> None:
  world = _made('class_clouds')
  # Two normals whose means are 3 deviations apart.
  right = np.mean(world.y == (world.x[:, 0] > 0))
  assert right == pytest.approx(special.ndtr(1.5), abs=0.01)
  assert np.mean(world.y == world.group) > 0.85
  # Of each class the features are normal about the mean of its cloud.
  axis = world.x[:, 0] / np.std(world.x[world.group == 1, 0])
  assert axis[world.y == 1].mean() == pytest.approx(1.5, abs=0.05)
  assert axis[world.y == 1].std() == pytest.approx(1, abs=0.05)


def test_one_rule_of_a_plane_is_what_logistic_regression_finds() -> None:
  world = _made('one_cloud', 20_000)
  fit = linear_model.LogisticRegression(C=1e6).fit(world.x, world.y)
  got = fit.decision_function(world.x)
  want = special.logit(world.p)
  assert np.corrcoef(got, want)[0, 1] > 0.995
  assert np.std(got) / np.std(want) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('d', [3, 16, 300])
def test_any_number_of_features_has_the_same_certainty(d: int) -> None:
  scores = special.logit(_made('one_cloud', 2000, d).p)
  assert np.std(scores) == pytest.approx(2.5, rel=0.08)
  x = _made('one_cloud', 2000, d).x
  assert np.mean(x**2) == pytest.approx(1, rel=0.1)


def test_students_features_have_the_same_deviation_and_longer_tails() -> None:
  x = _made('one_cloud', 50_000, 3, df=5).x
  normal = _made('one_cloud', 50_000, 3).x
  assert x.std(axis=0) == pytest.approx(normal.std(axis=0), rel=0.05)
  assert np.mean(np.abs(x) > 4 * x.std(axis=0)) > 0.002
  assert np.mean(np.abs(normal) > 4 * normal.std(axis=0)) < 0.0003


@pytest.mark.parametrize('name', worlds.WORLDS)
def test_the_same_key_gives_the_same_bits(name: str) -> None:
  one, again = _made(name, 50), _made(name, 50)
  assert all(np.array_equal(a, b) for a, b in zip(one, again))
  other = worlds.WORLDS[name](worlds.key(0, name, 1), 50, 6)
  assert not np.array_equal(other.x, one.x)
  assert not np.array_equal(other.y, one.y)


def test_redrawn_labels_are_of_the_same_images() -> None:
  world = _made('one_cloud')
  other = worlds.redrawn(world, jax.random.key(7))
  assert other.x is world.x and other.p is world.p
  assert 0.05 < np.mean(other.y != world.y) < 0.5
  expected = np.mean(2 * world.p * (1 - world.p))
  assert np.mean(other.y != world.y) == pytest.approx(expected, abs=0.03)


def test_worlds_are_pinned() -> None:
  # What a calibration was made of; another release draws the same.
  world = _made('turned_60', 4, 3)
  assert world.y.tolist() == [1, 1, 1, 1]
  assert world.group.tolist() == [2, 1, 1, 1]
  np.testing.assert_allclose(
    world.p, [0.69342878, 0.28755884, 0.93728271, 0.2708593], rtol=1e-6
  )
