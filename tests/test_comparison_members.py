"""Clusters of runs of the same images stand beside those of the same images."""

import json
import pathlib

import numpy as np
import pytest

from heterojax.comparison import page
from heterojax.comparison import runs as runs_lib
from heterojax.comparison import side_by_side
from heterojax.datasets.manifest import csv_text

EXAMPLE = (
  pathlib.Path(__file__).parent.parent / 'docs' / 'results_retraining.json'
)
N, K = 40, 4
CLUSTERS = np.arange(N) // (N // K)
# Of another number, all of the same size, of the same mix.
RENUMBERED = np.array([2, 0, 3, 1])[CLUSTERS]
LABELS = np.array(['glaucoma', 'healthy'])[np.arange(N) % 2]


def run_of(
  folder: pathlib.Path, clusters: np.ndarray, labels: np.ndarray, tested: int
) -> str:
  """A finished run: the fold of each image is its number modulo `tested`."""
  folder.mkdir()
  text = EXAMPLE.read_text()
  for old, new in (('cataract', 'glaucoma'), ('normal fundus', 'healthy')):
    text = text.replace(json.dumps(old), json.dumps(new))
  (folder / 'results.json').write_text(text)
  manifest = [
    (f'i{i}', f'{i}.png', label, '') for i, label in enumerate(labels)
  ]
  text = csv_text(('id', 'path', 'label', 'group'), manifest)
  (folder / 'manifest.csv').write_text(text)
  rows = [
    (f'i{i}', 'test', int(c), fold)
    if i % tested == fold
    # What folds say of training images does not count.
    else (f'i{i}', 'train', int(c + fold) % K, fold)
    for fold in range(tested)
    for i, c in enumerate(clusters)
  ]
  text = csv_text(('id', 'split', 'cluster', 'fold'), rows)
  (folder / 'clusters.csv').write_text(text)
  return str(folder)


def compared_of(*folders: str) -> side_by_side.Comparison:
  (group,) = runs_lib.grouped(runs_lib.read(folders))
  return side_by_side.compare(group)


@pytest.mark.parametrize('tested', [1, 4])
def test_clusters_of_the_same_images_are_in_one_row(tmp_path, tested) -> None:
  moved = RENUMBERED.copy()
  moved[0] = RENUMBERED[-1]
  compared = compared_of(
    run_of(tmp_path / 'a', CLUSTERS, LABELS, tested=1),
    run_of(tmp_path / 'b', moved, LABELS, tested=tested),
  )
  _, pairs = compared.matches.values()
  assert [(pair.reference, pair.ours) for pair in pairs] == [
    (0, 2),
    (1, 0),
    (2, 3),
    (3, 1),
  ]
  # 9 of 10 images in both, and 10 of 11.
  costs = [pair.cost for pair in pairs]
  assert costs == pytest.approx([1 / 10, 0, 0, 1 / 11])
  assert 'Jaccard similarity' in page.render([compared])


def test_clusters_of_other_images_are_matched_by_their_mix(tmp_path) -> None:
  # Rows that are numbered, of a data set whose labels have nothing in common.
  others = np.array(['glaucoma', 'healthy'])[np.arange(N) // 2 % 2]
  compared = compared_of(
    run_of(tmp_path / 'a', CLUSTERS, LABELS, tested=1),
    run_of(tmp_path / 'b', RENUMBERED, others, tested=1),
  )
  _, pairs = compared.matches.values()
  # The results of both are the same, and so are mix and share.
  assert [(pair.reference, pair.ours) for pair in pairs] == [
    (i, i) for i in range(K)
  ]
  html = page.render([compared])
  assert 'Jaccard' not in html and 'clusters of other images' in html
