"""Algorithms and numbers of clusters, and what the indices prefer."""

import json

import jax
import numpy as np
import pytest
from sklearn import cluster as sklearn_cluster
from sklearn import metrics

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.studies import choosing

_NAMES = ('inertia', 'silhouette', 'calinski_harabasz', 'davies_bouldin')


@pytest.fixture(name='truth', scope='module')
def _truth() -> np.ndarray:
  return np.repeat(np.arange(4), [40, 30, 20, 30])


@pytest.fixture(name='z', scope='module')
def _z(truth: np.ndarray) -> np.ndarray:
  rng = np.random.default_rng(0)
  centers = np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0], [0, 0, 20]])
  return centers[truth] + rng.normal(size=(120, 3))


@pytest.fixture(name='rows', scope='module')
def _rows(z: np.ndarray) -> tuple[choosing.Choice, ...]:
  return choosing.choose(z, key=jax.random.key(0), k_values=(3, 4, 5))


@pytest.mark.slow
def test_one_row_for_each(rows: tuple[choosing.Choice, ...]) -> None:
  assert [(row.method, row.k) for row in rows] == [
    (method, k) for method in ('kmeans', 'fuzzy', 'gmm') for k in (3, 4, 5)
  ]
  for row in rows:
    assert tuple(row.indices) == _NAMES
    assert len(row.sizes) == row.k and sum(row.sizes) == 120
  json.dumps(codec.encode(rows), allow_nan=False)


@pytest.mark.slow
def test_planted_clusters_are_found_and_preferred(
  rows: tuple[choosing.Choice, ...], z: np.ndarray, truth: np.ndarray
) -> None:
  means = np.array([z[truth == i].mean(axis=0) for i in range(4)])
  want = [
    np.sum((z - means[truth]) ** 2),
    metrics.silhouette_score(z, truth),
    metrics.calinski_harabasz_score(z, truth),
    metrics.davies_bouldin_score(z, truth),
  ]
  for row in rows:
    if row.k == 4:
      got = [*row.indices.values()]
      np.testing.assert_allclose(got, want, rtol=1e-9)
      assert sorted(row.sizes) == [20, 30, 30, 40]
  for method in choosing.METHODS:
    preferred = choosing.best(rows, method)
    assert preferred.silhouette == preferred.calinski_harabasz == 4
    assert preferred.davies_bouldin == 4
  # Every cluster of its own lowers the inertia by much, and no further one.
  assert choosing.best(rows, 'kmeans').elbow == 4
  assert choosing.reading(rows)[0] == (
    'K-means: 4 clusters by the silhouette, Calinski-Harabasz, Davies-Bouldin'
    ' and the elbow of the inertia.'
  )


@pytest.mark.slow
def test_k_means_is_as_good_as_scikit_learns(
  rows: tuple[choosing.Choice, ...], z: np.ndarray
) -> None:
  for row in rows[:3]:
    fit = sklearn_cluster.KMeans(row.k, n_init=10, random_state=0).fit(z)
    assert row.inertia == pytest.approx(fit.inertia_, rel=0.02)


@pytest.mark.slow
def test_depends_on_the_key_alone(
  rows: tuple[choosing.Choice, ...], z: np.ndarray
) -> None:
  again = choosing.choose(z, key=jax.random.key(0), k_values=(3, 4, 5))
  assert again == rows


@pytest.mark.slow
def test_more_clusters_than_images_are_listed() -> None:
  z = np.random.default_rng(0).normal(size=(3, 2))
  rows = choosing.choose(z, key=jax.random.key(0), k_values=(3, 4))
  json.dumps(codec.encode(rows), allow_nan=False)
  for row in rows:
    if row.k == 4:
      assert row.sizes == ()
      why = Missing('there are 3 images for 4 clusters')
      assert row.indices == dict.fromkeys(_NAMES, why)
  alone = next(r for r in rows if (r.method, r.k) == ('kmeans', 3))
  assert alone.sizes == (1, 1, 1) and alone.inertia < 1e-20
  assert alone.silhouette == Missing('there are 3 images for 3 clusters')


@pytest.mark.slow
def test_equal_images_are_one_cluster_or_bad_ones() -> None:
  rows = choosing.choose(
    np.full((12, 2), 3.0), key=jax.random.key(0), k_values=(2,)
  )
  json.dumps(codec.encode(rows), allow_nan=False)
  for row in rows:
    assert sum(row.sizes) == 12 and row.inertia < 1e-20
    one = max(row.sizes) == 12
    why = Missing('all images are in one cluster')
    assert row.silhouette == (why if one else 0)


def _by_hand(**columns: list[float | None]) -> tuple[choosing.Choice, ...]:
  columns = {name: [None] * 4 for name in _NAMES} | columns
  return tuple(
    choosing.Choice(
      method='gmm',
      k=k,
      sizes=(),
      **{name: codec.estimate(columns[name][i], 'so') for name in _NAMES},
    )
    for i, k in enumerate((2, 3, 4, 5))
  )


def test_preferred_by_hand() -> None:
  rows = _by_hand(
    inertia=[100.0, 40.0, 30.0, 20.0],
    silhouette=[0.1, 0.3, None, 0.2],
    calinski_harabasz=[7.0, 5.0, 6.0, 7.0],
    davies_bouldin=[0.9, 0.8, 0.7, 0.7],
  )
  want = choosing.Preferred(
    silhouette=3,
    calinski_harabasz=2,  # The fewest of equals.
    davies_bouldin=4,
    elbow=3,
  )
  assert choosing.best(rows, 'gmm') == want
  assert choosing.best(rows[::-1], 'gmm') == want
  assert set(choosing.best(rows, 'fuzzy')) == {None}
  assert choosing.reading(rows) == (
    'Gaussian mixture: 2 clusters by Calinski-Harabasz; 3 clusters by the'
    ' silhouette and the elbow of the inertia; 4 clusters by Davies-Bouldin.',
  )


@pytest.mark.parametrize(
  'inertia, elbow',
  [
    # Below the line by 0.3 and 0.2, or by 0.1 and 0.2, of its height.
    ([100.0, 100 - 100 * (1 / 3 + 0.3), 100 - 100 * (2 / 3 + 0.2), 0], 3),
    ([100.0, 100 - 100 * (1 / 3 + 0.1), 100 - 100 * (2 / 3 + 0.2), 0], 4),
    ([40.0, 30.0, 20.0, 10.0], None),  # Straight.
    ([40.0, 39.0, 35.0, 10.0], None),  # Bends the other way.
    ([10.0, 20.0, 30.0, 40.0], None),  # Does not fall.
    ([100.0, 20.0, None, None], None),
    ([None, 100.0, 20.0, 10.0], 4),
  ],
)
def test_elbow(inertia: list[float | None], elbow: int | None) -> None:
  assert choosing.best(_by_hand(inertia=inertia), 'gmm').elbow == elbow


def test_groups_of_a_file_name_no_folder_of_this_machine() -> None:
  said = choosing.groups('ids:/home/ada/secret/sites.csv', ('a', 'b'))
  assert said == 'Clusters are the groups of sites.csv: 0 is a and 1 is b.'
  assert choosing.named('column: View/Position') == 'groups by View/Position'
