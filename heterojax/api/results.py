"""What a finished run says, read from its folder."""

# pyright: strict

from collections.abc import Mapping, Sequence
import dataclasses
import pathlib
from typing import Any

import numpy as np

from heterojax import errors
from heterojax.api import messages
from heterojax.api.table import Table
from heterojax.datasets.manifest import parse_csv
from heterojax.records import codec
from heterojax.studies import images as image_rows

# Whole numbers, and truths.
_KINDS = {'cluster': 'i', 'correct': 'b'}


@dataclasses.dataclass(frozen=True)
class Verdict:
  """The answer to whether another rule holds in a cluster.

  Attributes:
    answer: 'yes', 'no sign', 'too little data' or 'cannot be answered'.
    sentence: the same in one sentence.
    p_value: adjusted for all questions; None where there is none.
  """

  answer: str
  sentence: str
  p_value: float | None


def verdict(results: Any) -> Verdict | None:
  """The answer of a study; None of one without, as of a regression."""
  if results.verdict is None:
    return None
  known = results.verdict
  p = codec.known(known.one_rule.adjusted)
  sentence = messages.translated(known.sentence)
  return Verdict(known.answer, sentence, None if p is None else float(p))


def images(folder: pathlib.Path) -> Table:
  """A row for each image of each fold and size, as the head of all sees it.

  Args:
    folder: of the run.

  Returns:
    id, path, label, group, split, cluster, and the other columns of
    `clusters.csv`.
  """
  found = _table(list(image_rows.rows(folder)))
  for name, kind in _KINDS.items():
    if name in found and found[name].dtype.kind != kind:
      said = f'{name} is something else in a row'
      raise errors.damaged(folder / 'clusters.csv', said)
  return found


def clusters(results: Any, rows: Table) -> Table:
  """A row for each cluster, of the largest sample.

  Args:
    results: the record.
    rows: see `images`.

  Returns:
    cluster; its training images, in all and of each label; those that tested,
    and the share of right answers; effect and p-value of another rule.
  """
  largest = np.ones(len(rows['id']), bool)
  if 'n' in rows:
    largest = rows['n'] == rows['n'].max()
  train = largest & (rows['split'] == 'train')
  test = largest & (rows['split'] == 'test')
  numbers = np.unique(rows['cluster'][largest])
  inside = [rows['cluster'] == number for number in numbers]
  found = Table(cluster=numbers)
  found['n_train'] = np.array([np.sum(i & train) for i in inside])
  if 'correct' in rows:
    for label in np.unique(rows['label']):
      of = train & (rows['label'] == label)
      found[f'n_train_{label}'] = np.array([np.sum(i & of) for i in inside])
  found['n_test'] = np.array([np.sum(i & test) for i in inside])
  if 'correct' in rows:
    right = [rows['correct'][i & test] for i in inside]
    found['accuracy'] = np.array([
      np.mean(r) if len(r) else np.nan for r in right
    ])
  if results.verdict is not None:
    asked = results.verdict.one_rule.clusters
    for name in ('effect', 'p_value'):
      known = [codec.known(getattr(asked[c], name)) for c in numbers]
      found[name] = np.array([np.nan if v is None else v for v in known])
  return found


def csv(path: pathlib.Path) -> Table:
  """The columns of a CSV file of a run."""
  return _table(_rows(path))


def _table(rows: Sequence[Mapping[str, str]]) -> Table:
  names = list(rows[0]) if rows else []
  return Table({n: _column(n, [row[n] for row in rows]) for n in names})


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
  return parse_csv(path.read_text(encoding='utf-8'))


def _column(name: str, cells: Sequence[str]) -> np.ndarray:
  """Truths, numbers (NaN for none), or text where cells are neither."""
  values = image_rows.typed(name, cells)
  if name in image_rows.TEXT or any(isinstance(v, str) for v in values):
    return np.array(cells, str)
  return np.array([np.nan if value is None else value for value in values])
