"""The published numbers, against the paper's tables as they are printed."""

import pathlib
import re

import numpy as np
import pytest

from heterojax.stats import heterogeneity
from heterojax.studies.sample_size import mendez2019
from heterojax.studies.sample_size.records import PublishedClustering
from heterojax.studies.sample_size.records import ToCentroid

PAPER = (
  pathlib.Path(__file__).resolve().parent.parent.parent
  / 'shared'
  / 'papers'
  / 'mendez2019.txt'
)
SIZES = {'psp': [100, 300, 1464, 2928], 'bone_age': [300, 700, 2837, 5674]}
PAIRS = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


@pytest.fixture(name='text', scope='module')
def _text() -> str:
  if not PAPER.is_file():
    pytest.skip('the text of the paper is not beside this checkout')
  return PAPER.read_text()


def printed(
  text: str, table: int, columns: int
) -> dict[str, list[list[float]]]:
  """Rows of a table per model: a size, then its numbers, in printed order."""
  body = text[text.index(f'Table {table}. ') :]
  rows = {'psp': [], 'bone_age': []}
  for line in body.splitlines():
    cells = [c for c in line.split('\t') if re.fullmatch(r'\d+(\.\d+)?', c)]
    if len(cells) == 2 * (columns + 1):
      rows['psp'].append([float(c) for c in cells[: columns + 1]])
      rows['bone_age'].append([float(c) for c in cells[columns + 1 :]])
    if table == 1 and line.startswith('Table 2'):
      break
  return rows


@pytest.mark.parametrize('model', SIZES)
def test_table_1(text: str, model: str) -> None:
  rows = printed(text, 1, 6)[model]
  assert [row[0] for row in rows] == SIZES[model] * 2
  # The closest points stand below the centroids.
  assert text.index('Centroid Distance\t') < text.index('Closes-Point Distance')
  sizes = mendez2019.mendez2019(model).sizes
  centroids = [size.centroid_distances for size in sizes]
  closest = [size.closest_point_distances for size in sizes]
  for matrices, part in ((centroids, rows[:4]), (closest, rows[4:])):
    for size, matrix, row in zip(sizes, matrices, part, strict=True):
      assert [size.n, *(matrix.value[a][b] for a, b in PAIRS)] == row


@pytest.mark.parametrize('model', SIZES)
def test_table_2(text: str, model: str) -> None:
  rows = printed(text, 2, 4)[model]
  assert [row[0] for row in rows] == SIZES[model] * 4
  # The rows of one cluster are together, and the clusters in order.
  clusters = re.findall(r'^Cluster (\d)\t', text, re.MULTILINE)
  assert clusters == ['0', '1', '2', '3']
  ours = [
    [size.n, row.min, row.max, row.mean, row.std]
    for c in range(4)
    for size in mendez2019.mendez2019(model).sizes
    if (row := size.to_centroid[c])
  ]
  assert ours == rows


def test_headings(text: str) -> None:
  heading = re.search(r'^Data Sizes / Clusters\t+(.*)$', text, re.MULTILINE)
  pairs = [f'{a}-{b}' for a, b in PAIRS]
  assert heading.group(1).split() == pairs * 2
  heading = re.search(r'^Clusters / Distance\t+(.*)$', text, re.MULTILINE)
  assert heading.group(1).split() == ['Min', 'Max', 'Mean', 'StDv'] * 2
  models = re.findall(r'^Model\t+(.*?)\t+(.*?)\t*$', text, re.MULTILINE)
  assert [m[0][:3] for m in models] == ['PSP', 'PSP']
  assert [m[1] for m in models] == ['Bone Age with VGG16'] * 2


def test_the_text(text: str) -> None:
  text = ' '.join(text.split())
  found = re.search(
    r'Pearson Coefficient of (-[\d.]+) for the PSP plates model and (-[\d.]+)'
    r' for the Bone Age model',
    text,
  )
  for model, value in zip(('psp', 'bone_age'), found.groups(), strict=True):
    relation = mendez2019.mendez2019(model).cv_vs_metric
    assert relation.pearson == float(value)
  sizes = re.search(
    r'for model 2.1 the sample sizes were (\d+), (\d+), half \((\d+)\) and'
    r' the whole dataset \((\d+)\), as well, for model 2.2, (\d+), (\d+),'
    r' half \((\d+)\) and the whole dataset \((\d+)\)',
    text,
  )
  both = [int(n) for n in sizes.groups()]
  assert both == SIZES['psp'] + SIZES['bone_age']
  names = re.search(
    r'a \$CV < (\d+)\\%\$ is (very good), \$(\d+)\\% - (\d+)\\%\$ is (good),'
    r' \$(\d+)\\% - (\d+)\\%\$ is (acceptable), and \$CV > (\d+)\\%\$ is (not'
    r' acceptable)',
    text,
  ).groups()
  assert {
    'recommended': 0.05,
    names[1]: int(names[0]) / 100,
    names[4]: int(names[3]) / 100,
    names[7]: int(names[6]) / 100,
  } == heterogeneity.BANDS
  assert names[2] == names[0] and names[5] == names[3]
  assert names[8] == names[6] and heterogeneity.band(0.31) == names[9]
  assert '$CV < 5\\%$ is recommended' in text
  for words in (
    'using 4-fold validation',
    '10 principal components',
    'Fuzzy K-Means with 4 clusters',
    'trained 10 times',
    'giving 512 image-features',
    'fuzzifier',
  ):
    assert (words in text) == (words != 'fuzzifier')


@pytest.mark.parametrize('model', SIZES)
def test_shape(model: str) -> None:
  known = mendez2019.mendez2019(model)
  assert [size.n for size in known.sizes] == SIZES[model]
  for size in known.sizes:
    assert [row.cluster for row in size.to_centroid] == [0, 1, 2, 3]
    for row in size.to_centroid:
      assert row.min < row.mean < row.max and row.std > 0
    centroids, closest = (
      np.array(matrix.value)
      for matrix in (size.centroid_distances, size.closest_point_distances)
    )
    for matrix in (centroids, closest):
      assert matrix.shape == (4, 4)
      np.testing.assert_array_equal(matrix, matrix.T)
      np.testing.assert_array_equal(matrix == 0, np.eye(4, dtype=bool))
    assert np.all(closest <= centroids)
  assert known.backbone.name in ('resnet18', 'vgg16')
  assert known.cluster == PublishedClustering('fuzzy', k=4, trainings=10)


def test_typed_from_the_paper() -> None:
  # For machines that do not have its text: the corners of both tables.
  psp, bone_age = map(mendez2019.mendez2019, SIZES)
  first, second, _, last = psp.sizes
  assert first.centroid_distances.value[0][1] == 10.88
  assert last.centroid_distances.value[3][2] == 12.38
  assert last.closest_point_distances.value[2][3] == 2.14
  assert second.to_centroid[0] == ToCentroid(0, 5.73, 21.52, 11.97, 3.37)
  first, _, third, last = bone_age.sizes
  assert first.centroid_distances.value[0][3] == 6.2
  assert last.closest_point_distances.value[3][2] == 2.34
  assert third.to_centroid[3] == ToCentroid(3, 3.7, 53.7, 11.47, 6.19)
  assert psp.cv_vs_metric.pearson == -0.9871
  assert bone_age.cv_vs_metric.pearson == -0.9832


def test_other_models_are_not_in_the_paper() -> None:
  with pytest.raises(KeyError):
    mendez2019.mendez2019('fundus')
