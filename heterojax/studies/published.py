"""The numbers of Wang 2023, under the paths of `results.json`.

Percentages are turned into fractions; nothing else is changed. Tables 1 and 3
number the clusters 1-4 and 0-3 and the paper gives no mapping between them, so
the accuracies in test clusters stand in a list of their own.
"""

from typing import Any

_METRICS = ('accuracy', 'auc', 'sensitivity', 'specificity')

# Size, intra-cluster distance, cataract, normal; then (retrained, random) pairs
# of accuracy, AUC, sensitivity and specificity in percent.
_TABLE_3 = (
    (42, 335, 42, 0, (50.00, 93.4), (50, 97), (100.00, 92.11), (0, 94.62)),
    (441, 195, 20, 421, (81.73, 94.23), (96, 98), (67.31, 92.11), (96.15, 96.35)),
    (274, 428, 144, 130, (93.75, 94.13), (97, 98), (92.31, 91.15), (95.19, 97.12)),
    (671, 201, 622, 49, (95.67, 95.48), (97, 98), (94.23, 93.65), (97.12, 97.31)),
)  # pyformat: disable
_TABLE_1 = (0.9712, (1.0, 0.97, 0.9694, 1.0))

_FUNDUS = {
    'dataset': {
        'n_train': 828,
        'n_train_augmented': 1428,
        'n_test': 208,
        'class_counts_train': {'cataract': 414, 'normal fundus': 414},
        'class_counts_train_augmented': {'cataract': 828, 'normal fundus': 600},
        'class_counts_test': {'cataract': 104, 'normal fundus': 104},
    },
    'reduction': {'method': 'pca', 'n_components': 200},
}


def _score(pairs: tuple[tuple[float, float], ...], which: int) -> dict[str, Any]:
  return {
      name: round(pair[which] / 100, 6) for name, pair in zip(_METRICS, pairs)
  }


def wang2023(positive: str, negative: str) -> dict[str, Any] | None:
  """What the paper reports for a pair of classes, or None."""
  if (positive, negative) != ('cataract', 'normal fundus'):
    return None
  overall, test_clusters = _TABLE_1
  return {
      'source': 'Wang 2023, Tables 1 and 3 [fundus images]',
      **_FUNDUS,
      'overall': {'accuracy': overall},
      'clusters': [
          {
              'id': number,
              'size': size,
              'class_counts': {positive: diseased, negative: healthy},
              'intra_cluster_distance': distance,
              'retrained': _score(pairs, 0),
              'random': _score(pairs, 1),
          }
          for number, (size, distance, diseased, healthy, *pairs) in enumerate(
              _TABLE_3
          )
      ],
      'test_clusters': [
          {'table_1_cluster': 1 + number, 'test': {'accuracy': accuracy}}
          for number, accuracy in enumerate(test_clusters)
      ],
      'notes': [
          'Table 1 numbers the test clusters 1 to 4 and Table 3 the training'
          ' clusters 0 to 3; the paper does not say which is which.',
          'Cluster numbers mean nothing across runs: our cluster 0 is not the'
          " paper's cluster 0.",
          'Figure 1 prints no distances in the text, so there is nothing to'
          ' compare them with.',
      ],
  }
