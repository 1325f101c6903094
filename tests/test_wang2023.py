"""The published numbers, against the paper's tables as they are printed."""

import pathlib
import re

import pytest

from heterojax.records import codec
from heterojax.studies.retraining import wang2023

PAPER = (
  pathlib.Path(__file__).resolve().parent.parent.parent
  / 'shared'
  / 'papers'
  / 'wang2023.txt'
)
METRICS = ('accuracy', 'auc', 'sensitivity', 'specificity')
PAIRS = {
  'fundus': ('cataract', 'normal fundus'),
  'chest': ('Cardiomegaly', 'No Finding'),
}
# Which table holds the accuracies in test clusters, and which the clusters.
TABLES = {'fundus': (1, 3), 'chest': (2, 4)}
# Typed from the paper, for machines that do not have its text.
TYPED = """
Table 1: fundus
0.9712 1 0.97 0.9694 1
Table 2: chest
0.8246 0.9231 1.0 0.8235 0.7351
Table 3: fundus
0 42 335 42 vs. 0 50.00% 93.4% 50% 97% 100.00% 92.11% 0 94.62%
1 441 195 20 vs. 421 81.73% 94.23% 96% 98% 67.31% 92.11% 96.15% 96.35%
2 274 428 144 vs. 130 93.75% 94.13% 97% 98% 92.31% 91.15% 95.19% 97.12%
3 671 201 622 vs. 49 95.67% 95.48% 97% 98% 94.23% 93.65% 97.12% 97.31%
Table 4: chest
0 96 239 42 vs. 54 73.68% 70.87% 75% 77% 51.72% 67.59% 96.43% 74.28%
1 108 212 42 vs. 66 80.70% 75.08% 80% 80% 89.66% 78.62% 71.43% 71.43%
2 113 224 53 vs. 60 77.19% 74.03% 79% 78% 89.66% 78.62% 64.29% 69.29%
3 133 238 87 vs. 46 56.14% 73.3% 67% 79% 96.55% 73.1% 14.29% 73.57%
"""


@pytest.fixture(name='text', params=['typed', 'paper'])
def _text(request) -> str:
  if request.param == 'typed':
    return TYPED
  if not PAPER.is_file():
    pytest.skip('the text of the paper is not beside this checkout')
  return PAPER.read_text()


def printed(text: str, number: int) -> list[list[list[float]]]:
  """Every printing of a table, as rows of numbers; percentages as fractions."""
  found = []
  for start in re.finditer(rf'^Table ?{number}:', text, re.MULTILINE):
    rows = []
    for line in text[start.end() :].splitlines()[1:]:
      if re.match(r'(Table|Figure) ?\d', line):
        break
      if re.match(r'\d', line):
        words = re.findall(r'\d+(?:\.\d+)?%?', line)
        rows.append([
          float(word.rstrip('%')) / (100 if word.endswith('%') else 1)
          for word in words
        ])
    found.append(rows)
  return found


@pytest.mark.parametrize('name', PAIRS)
def test_tables_1_and_2(text: str, name: str) -> None:
  known = wang2023.published(*PAIRS[name])
  tables = printed(text, TABLES[name][0])
  assert tables
  for rows in tables:
    assert rows == [
      [
        known.overall.value('accuracy'),
        *(c.test.value('accuracy') for c in known.test_clusters),
      ]
    ]


@pytest.mark.parametrize('name', PAIRS)
def test_tables_3_and_4(text: str, name: str) -> None:
  known = wang2023.published(*PAIRS[name])
  tables = printed(text, TABLES[name][1])
  assert tables
  for rows in tables:
    assert len(rows) == len(known.clusters) == 4
    for row, c in zip(rows, known.clusters):
      values = [c.id, c.size, c.intra_cluster_distance]
      values += [c.class_counts[label] for label in PAIRS[name]]
      for metric in METRICS:
        values += [c.retrained.value(metric), c.random.value(metric)]
      assert values == pytest.approx(row, abs=1e-9)
      assert len(row) == 13


@pytest.mark.parametrize('name', PAIRS)
def test_where_it_is_printed(name: str) -> None:
  known = wang2023.published(*PAIRS[name])
  first, second = TABLES[name]
  assert known.printed_in == {
    'overall': f'Table {first}',
    'clusters': f'Table {second}',
    'between_cluster_distances': f'Figure {first}',
  }
  assert known.source.startswith(f'Wang 2023, Table {first} and Table {second}')


@pytest.mark.parametrize('name', PAIRS)
def test_counts_agree_with_the_tables(name: str) -> None:
  known = wang2023.published(*PAIRS[name])
  d = known.dataset
  for part in ('train', 'train_augmented', 'test'):
    assert sum(getattr(d, f'class_counts_{part}').values()) == getattr(
      d, f'n_{part}'
    )
  for label in PAIRS[name]:
    total = sum(c.class_counts[label] for c in known.clusters)
    assert total == d.class_counts_train_augmented[label]
  for c in known.clusters:
    assert sum(c.class_counts.values()) == c.size
  # Every share of the heads that were trained once is one of these images.
  positives, negatives = d.class_counts_test.values()
  shares = [(known.overall.value('accuracy'), d.n_test)]
  for c in known.clusters:
    shares += [
      (c.retrained.value('accuracy'), d.n_test),
      (c.retrained.value('sensitivity'), positives),
      (c.retrained.value('specificity'), negatives),
    ]
  for value, n in shares:
    assert round(round(value * n) / n, 4) == value


def test_counts_of_the_chest_data() -> None:
  d = wang2023.published(*PAIRS['chest']).dataset
  both = [
    d.class_counts_train[label] + d.class_counts_test[label]
    for label in PAIRS['chest']
  ]
  assert both == [141, 141]
  assert (d.n_train, d.n_train_augmented, d.n_test) == (225, 450, 57)
  assert list(d.class_counts_train_augmented.values()) == [224, 226]
  assert list(d.class_counts_test.values()) == [29, 28]


def test_counts_of_the_fundus_data() -> None:
  d = wang2023.published(*PAIRS['fundus']).dataset
  assert (d.n_train, d.n_train_augmented, d.n_test) == (828, 1428, 208)
  assert list(d.class_counts_train.values()) == [414, 414]
  assert list(d.class_counts_train_augmented.values()) == [828, 600]
  assert list(d.class_counts_test.values()) == [104, 104]


def test_reductions() -> None:
  fundus, chest = (
    wang2023.published(*pair).reduction for pair in PAIRS.values()
  )
  assert codec.encode(fundus) == {'method': 'pca', 'n_components': 200}
  assert codec.encode(chest) == {
    'method': 'none',
    'rejected': {
      'method': 'pca',
      'n_components': 57,
      'explained_variance': 0.4,
    },
  }


def test_the_impossible_value_is_kept_and_noted() -> None:
  known = wang2023.published(*PAIRS['chest'])
  value = known.test_clusters[3].test.value('accuracy')
  assert value == 0.7351
  assert value not in {
    round(k / n, 4) for n in range(1, 58) for k in range(n + 1)
  }
  assert round(17 / 23, 4) == 0.7391
  assert round(12 / 13, 4) == 0.9231 and round(14 / 17, 4) == 0.8235
  assert (12 + 4 + 14 + 17, 13 + 4 + 17 + 23) == (47, 57)
  assert round(47 / 57, 4) == known.overall.value('accuracy')
  assert any('0.7351' in note for note in known.notes)


@pytest.mark.parametrize('name', PAIRS)
def test_sentences_about_the_figures_are_the_papers(name: str) -> None:
  if not PAPER.is_file():
    pytest.skip('the text of the paper is not beside this checkout')
  text = ' '.join(PAPER.read_text().split())
  sentences = wang2023.published(*PAIRS[name]).figure
  assert sentences
  for sentence in sentences:
    assert sentence in text
    assert re.search(r'[Cc]luster', sentence)


def test_other_pairs_are_not_in_the_paper() -> None:
  assert wang2023.published('glaucoma', 'normal fundus') is None
  assert wang2023.published('normal fundus', 'cataract') is None
