"""Whether a column of the manifest says the class, or explains the clusters.

A cluster that is 'all AP views' explains itself, and a model that reads the
view position may pass for one that sees the disease.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from sklearn import impute
from sklearn import linear_model
from sklearn import pipeline
from sklearn import preprocessing

from heterojax import rng
from heterojax.records import codec
from heterojax.records.codec import Estimate
from heterojax.records.codec import Missing
from heterojax.stats import inference as statistics
from heterojax.stats import metrics
from heterojax.stats import several
from heterojax.studies.records import Shortcut
from heterojax.verdict import associations as by_patient

ALL_COLUMNS = 'all columns'
# A column of so few different numbers is a code, such as 0 and 1 for the sex.
_CODES = 10
# A column of more different texts names its images, it does not group them.
_CATEGORIES = 20
# A category is there more than once: this often on average.
_REPEATS = 5
_LARGEST = 1e100
# From here a column is a likely shortcut. Cohen (1988) calls a V of 0.5 large,
# for columns of two values; eta is 0.5 as well where its square is 0.25.
STRONG = {"Cramer's V": 0.5, 'eta squared': 0.25}
# Of few patients chance alone reaches as much.
_LEVEL = 0.05


class _Groups(NamedTuple):
  """Classes or clusters of the training images `[N]`.

  Attributes:
    of: each.
    exchanged: among patients; None where each image is of another one.
  """

  of: np.ndarray
  exchanged: by_patient.Exchanged | None


def audit(
  columns: Mapping[str, Sequence[str]],
  y: np.ndarray,
  clusters: np.ndarray,
  is_train: np.ndarray,
  *,
  excluded: Mapping[str, str],
  units: np.ndarray | None = None,
) -> tuple[Shortcut, ...]:
  """The contract's `shortcuts`: N original images, each once.

  A column is numeric where all its values are finite numbers, of which more
  than 10 differ or which repeat less than 5 times each on average; with fewer
  it is a code and so categorical. A categorical column is audited where no more
  than 20 values differ and they repeat at least 5 times each on average. Images
  without a value are a category of their own there, as a column that one class
  lacks more often is a shortcut too; in a numeric column they are left out of
  the association, while the model sees where they are.

  Associations are over the training images: Cramer's V and its chi-squared test
  for categories, eta squared and its F test for numbers (`statistics`). Where a
  patient has several images, the p-values are of the same associations after
  exchanges of patients (`associations`). With every further column a small one
  by chance is more likely.

  `auc_alone` is the AUC (of more than two classes the mean of each against all
  others) on the test images of scikit-learn's LogisticRegression
  on the training images, with the column and nothing else. A number counts
  linearly in the logit: a class in the middle of its range is not found.

  Args:
    columns: of the manifest, N texts each; '' is missing.
    y: `[N]` int codes of the classes, of two 1 for the disease.
    clusters: `[N]` int.
    is_train: `[N]` bool, else a test image.
    excluded: names of columns that say the class themselves or name the image,
      with the reason for each.
    units: `[N]` int, equal for images of one patient; None: each image is of
      another one.

  Returns:
    One record per column, in their order, and one for all audited columns
    together. `n` counts the training images of the associations, `p_value` is
    of `with_class`.
  """
  y, clusters = np.asarray(y), np.asarray(clusters)
  is_train = np.asarray(is_train, bool)
  of_class, of_cluster = (
    _groups(own[is_train], None if units is None else units[is_train], number)
    for number, own in enumerate((y, clusters))
  )
  entries, encoded = [], []
  for name, column in columns.items():
    texts = np.array(column, dtype=str)
    if name in excluded:
      found = Missing(excluded[name])
    else:
      found = kind(texts, is_train)
    if isinstance(found, Missing):
      entries.append(_unknown(name, found))
      continue
    values = _numbers(texts, is_train) if found == 'numeric' else texts
    encoded.append(_encode(values, found, is_train))
    associations = _associations(values[is_train], found, of_class, of_cluster)
    auc = _auc_alone(encoded[-1], y, is_train)
    entries.append(
      Shortcut(column=name, kind=found, auc_alone=auc, **associations)
    )
  auc = Missing('no column could be audited')
  if encoded:
    auc = _auc_alone(np.concatenate(encoded, axis=1), y, is_train)
  together = dataclasses.replace(
    _unknown(ALL_COLUMNS, Missing('several columns have no one association')),
    n=int(is_train.sum()),
    auc_alone=auc,
  )
  return (*entries, together)


def strength(measure: str, value: Estimate, p_value: Estimate) -> float:
  """How strong an association is beside `STRONG`; 0 where it may be chance.

  One without a p-value counts: nobody knows that it is chance.
  """
  limit, found = STRONG.get(measure), codec.known(value)
  if not limit or found is None or (codec.known(p_value) or 0) > _LEVEL:
    return 0.0
  return found / limit


def _unknown(name: str, why: Missing) -> Shortcut:
  return Shortcut(name, *[why] * 8)


def kind(texts: np.ndarray, is_train: np.ndarray) -> str | Missing:
  """'numeric' or 'categorical', or why it is neither."""
  known = texts[texts != '']
  if not np.any(texts[is_train] != ''):
    return Missing('no training image has a value')
  if len(set(texts[is_train])) == 1:
    why = f'all {is_train.sum()} training images have the same value'
    return Missing(why)
  different = len(set(known))
  repeated = different * _REPEATS <= len(known)
  if all(map(_is_number, known)) and (different > _CODES or not repeated):
    return 'numeric'
  if different > _CATEGORIES or not repeated:
    return Missing(f'{different} different values in {len(known)} images')
  return 'categorical'


def _is_number(text: str) -> bool:
  try:
    # Python reads the file name 00001340_000 as a number.
    return '_' not in text and math.isfinite(float(text))
  except ValueError:
    return False


def _numbers(texts: np.ndarray, is_train: np.ndarray) -> np.ndarray:
  """Finite numbers, NaN where missing.

  Those of training are up to 1 in size, as squares overflow; a code for missing
  values among the others must not make theirs vanish.
  """
  numbers = np.array([float(text) if text else np.nan for text in texts])
  largest = np.nanmax(np.abs(numbers[is_train])) or 1.0
  with np.errstate(over='ignore'):
    return np.clip(numbers / largest, -_LARGEST, _LARGEST)


def _groups(
  groups: np.ndarray, units: np.ndarray | None, number: int
) -> _Groups:
  if units is None or len(np.unique(units)) == len(units):
    return _Groups(groups, None)
  # Always the same draws.
  key = rng.key(0, rng.Purpose.AUDIT, number)
  return _Groups(groups, by_patient.exchanged(groups, units, key))


def _associations(
  values: np.ndarray, kind: str, y: _Groups, clusters: _Groups
) -> dict[str, Any]:
  """Fields of a shortcut: the associations of the training images."""
  measure = (
    statistics.eta_squared if kind == 'numeric' else statistics.cramers_v
  )
  of_class, of_cluster = measure(values, y.of), measure(values, clusters.of)
  return {
    'measure': of_class.measure,
    'n': of_class.n,
    'with_class': codec.estimate(of_class.strength, of_class.why),
    'p_value': _p_value(of_class, values, y),
    'with_cluster': codec.estimate(of_cluster.strength, of_cluster.why),
    'p_value_with_cluster': _p_value(of_cluster, values, clusters),
  }


def _p_value(
  found: statistics.Association, values: np.ndarray, groups: _Groups
) -> Estimate:
  exchanged = groups.exchanged
  if found.p_value is None or exchanged is None:
    return codec.estimate(found.p_value, found.why)
  if exchanged.why:
    return Missing(exchanged.why)
  return by_patient.p_value(values, exchanged)


def _encode(values: np.ndarray, kind: str, is_train: np.ndarray) -> np.ndarray:
  """`[N, F]` inputs of a linear model, fitted on the training images."""
  if kind == 'numeric':
    encoder = pipeline.make_pipeline(
      impute.SimpleImputer(strategy='median', add_indicator=True),
      preprocessing.StandardScaler(),
    )
  else:
    encoder = preprocessing.OneHotEncoder(
      handle_unknown='ignore', sparse_output=False
    )
  encoder.fit(values[is_train, np.newaxis])
  return np.asarray(encoder.transform(values[:, np.newaxis]))


def _auc_alone(x: np.ndarray, y: np.ndarray, is_train: np.ndarray) -> Estimate:
  """AUC on the test images."""
  for part, name in ((is_train, 'training'), (~is_train, 'test')):
    if not part.any():
      return Missing(f'no {name} images')
    if len(set(y[part])) == 1:
      kind = 'of one class'
      if set(y) <= {0, 1}:
        kind = 'positive' if y[part][0] else 'negative'
      return Missing(f'all {part.sum()} {name} images are {kind}')
  model = linear_model.LogisticRegression(max_iter=1000)
  model.fit(x[is_train], y[is_train])
  values = model.decision_function(x[~is_train])
  if values.ndim == 1:
    return metrics.auc(y[~is_train], values)
  known = np.searchsorted(model.classes_, y[~is_train])
  if not set(y[~is_train]) <= set(model.classes_.tolist()):
    return Missing('a class has no training image')
  found = several.macro_auc(known, model.predict_proba(x[~is_train]))
  return codec.estimate(found.value, 'no class has an AUC')
