"""Changes that no test can see, and why: the outcome is the same."""

from typing import NamedTuple


class Equivalent(NamedTuple):
  """One change that changes nothing.

  Attributes:
    path: of the module, relative to the package.
    line: its text, without the blanks around it.
    what: as `Mutant.what`.
    why: the reason.
  """

  path: str
  line: str
  what: str
  why: str


_CONTENT = 'only how many there are is read, never what they hold'
_BLOCKS = 'blocks of another size hold the same rows'
_EMPTY = 'what it divides is 0 there, and is replaced'

KNOWN = (
  Equivalent(
    'datasets/splits.py',
    'split = splitter.split(np.zeros(len(rows)), labels, units)',
    'np.zeros -> np.ones',
    _CONTENT,
  ),
  Equivalent(
    'datasets/selection.py',
    'size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)',
    'len(paths) // (8 * self._workers) -> len(paths) * (8 * self._workers)',
    'parts of another size hold the same images',
  ),
  Equivalent(
    'cluster/matching.py',
    'reference = np.argmax(np.round(total, 9))',
    '9 -> 10',
    'sums of the same numbers differ in the fifteenth digit',
  ),
  Equivalent(
    'cluster/matching.py',
    'total = np.take_along_axis(alike, new[..., None],'
    ' axis=-1).sum(axis=(1, 2, 3))',
    'np.take_along_axis(alike, new[..., None], axis=-1).sum ->'
    ' np.take_along_axis(alike, new[..., None], axis=-1).mean',
    'the largest mean of equally many numbers is the largest sum',
  ),
  Equivalent(
    'cluster/matching.py',
    'seen = shared.sum(axis=2) > 0',
    'shared.sum -> shared.mean',
    'the mean of counts is above 0 where their sum is',
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'possible, xp.sqrt(variance) / xp.where(possible, mean, 1.0), xp.nan',
    '1.0 -> 2.0',
    _EMPTY,
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'mean = total / xp.where(number > 0, number, 1)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'cluster/matching.py',
    'tables = cell.reshape(-1, cell.shape[-1])',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'cluster/matching.py',
    'both = pairs(table.reshape(len(table), -1))',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'cluster/matching.py',
    'chance = a * b / max(n * (n - 1) / 2, 1)',
    '1 -> 2',
    'two samples are one pair, whose score is 1 or 0 either way',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'jnp.any(exists & (counts == 0)),',
    'counts == 0 -> counts != 0',
    'where no cluster is empty, nothing is moved',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'chosen = farthest[jnp.clip(jnp.cumsum(empty) - 1, 0, k - 1)]',
    'k - 1 -> k + 1',
    'at most K clusters are empty',
  ),
  Equivalent(
    'cluster/pca.py',
    'return found if rank >= found.shape[1] else found.at[:, rank:].set(0)',
    'rank >= found.shape[1] -> rank > found.shape[1]',
    'no column is set to 0 then',
  ),
  Equivalent(
    'cluster/distances.py',
    'rows = max(1, _CHUNK // max(1, n))',
    '_CHUNK // max(1, n) -> _CHUNK * max(1, n)',
    _BLOCKS,
  ),
  Equivalent(
    'cluster/distances.py',
    'for rows in row_blocks.slices(len(x), 8 * centers[..., 0, :].size):',
    '8 -> 9',
    _BLOCKS,
  ),
  Equivalent(
    'cluster/distances.py',
    'rows = rows * jnp.ldexp(jnp.ones((), rows.dtype), -jnp.clip(e, '
    '-100, 100))',
    '100 -> 101',
    'squares are in range either way',
  ),
  Equivalent(
    'cluster/distances.py',
    'other = (one + numbers.integers(1, len(x), size=PAIRS)) % len(x)',
    'one + numbers.integers(1, len(x), size=PAIRS) -> one - '
    'numbers.integers(1, len(x), size=PAIRS)',
    'a step back is as random as a step on',
  ),
  Equivalent(
    'stats/inference.py',
    'of_negatives = 1 - (ranks[~y] - stats.rankdata(values[~y])) / m',
    '1 - (ranks[~y] - stats.rankdata(values[~y])) / m -> 1 + '
    '(ranks[~y] - stats.rankdata(values[~y])) / m',
    'only its variance is read',
  ),
  Equivalent(
    'stats/inference.py',
    'root: Any = optimize.brentq(excess, 0, auc * (1 - 1e-9))',
    '1e-09 -> 2e-09',
    'between them there is no root',
  ),
  Equivalent(
    'stats/inference.py',
    'if np.all(values == values[0]):',
    '0 -> 1',
    'there are two, and all are equal to either or to none',
  ),
  Equivalent(
    'stats/inference.py',
    'if np.all(groups == groups[0]):',
    '0 -> 1',
    'there are two, and all are equal to either or to none',
  ),
  Equivalent(
    'cluster/distances.py',
    'rows = max(1, _CHUNK // max(1, n))',
    '1 -> 2',
    _BLOCKS,
  ),
  Equivalent(
    'cluster/distances.py',
    'return rows / jnp.where(length > 0, length, 1.0)',
    '1.0 -> 2.0',
    _EMPTY,
  ),
  Equivalent(
    'stats/inference.py',
    'of_negatives = 1 - (ranks[~y] - stats.rankdata(values[~y])) / m',
    '1 -> 2',
    'only its variance is read',
  ),
  Equivalent(
    'stats/inference.py',
    'n_resamples=_RESAMPLES, rng=np.random.default_rng(0)',
    '0 -> 1',
    'tables drawn by another seed are as random',
  ),
  Equivalent(
    'stats/metrics.py',
    "kind = 'negative' if not y.any() else 'positive'",
    'y.any -> y.all',
    'all are of one class there',
  ),
  Equivalent(
    'stats/scores.py',
    'nothing = score_of(np.zeros(0, int), np.zeros(shape), classes)',
    'np.zeros -> np.ones',
    'there are none',
  ),
  Equivalent(
    'stats/scores.py',
    'shape = (0, len(classes.names)) if len(classes.names) > 2 else (0,)',
    '0 -> 1',
    'there are no labels, whatever the logits',
  ),
  Equivalent(
    'cluster/validity.py',
    'rows = max(1, _CHUNK // len(x))',
    '_CHUNK // len(x) -> _CHUNK * len(x)',
    _BLOCKS,
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'mean = total / xp.where(number > 0, number, 1)',
    '0 -> 1',
    'one is divided by 1 either way',
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'pairs = np.round(np.array([cvs, performances], np.float64), 12)',
    '12 -> 13',
    'equal fractions differ in the sixteenth digit',
  ),
  Equivalent(
    'stats/heterogeneity.py',
    'if np.all(np.sum(~np.isnan(metric), axis=-1) < 2):',
    '-1 -> +1',
    'of two axes it is the last',
  ),
  Equivalent(
    'cluster/matching.py',
    'return np.sum(sizes * (sizes - 1) / 2, axis=-1)',
    '-1 -> +1',
    'of two axes it is the last',
  ),
  Equivalent(
    'cluster/matching.py',
    'closeness = 1 - difference / (spread if spread > 0 else 1)',
    '1 -> 2',
    'all differences are 0 there',
  ),
  Equivalent(
    'cluster/matching.py',
    'spread = np.ptp(known) if known.size else 0',
    '0 -> 1',
    'no difference is known there',
  ),
  Equivalent(
    'cluster/matching.py',
    'score = (both - chance) / np.where(same, 1, largest - chance)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'cluster/matching.py',
    'table = _shared(labels[first], labels[second], int(labels.max()) + 1)',
    '1 -> 2',
    'a cluster more has no members, and no pairs',
  ),
  Equivalent(
    'verdict/gains.py',
    'return np.where(varies, centred / np.where(varies, sd, 1), 0)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'verdict/gains.py',
    'return np.where(varies, centred / np.where(varies, sd, 1), 0)',
    '0 -> 1',
    'what all have in common changes no order',
  ),
  Equivalent(
    'verdict/gains.py',
    'varies = sd > 1e-9 * np.max(np.abs(logits), axis=1, keepdims=True)',
    '1e-09 -> 2e-09',
    'rounding is far below, and what differs far above',
  ),
  Equivalent(
    'verdict/gains.py',
    'varies = sd > 1e-9 * np.max(np.abs(logits), axis=1, keepdims=True)',
    'np.max -> np.min',
    'they are equal where all are the same',
  ),
  Equivalent(
    'verdict/gains.py',
    'return np.where(known, better / np.where(known, pairs, 1), np.nan)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'stats/robustness.py',
    'z = np.asarray(x / np.where(norm > 0, norm, 1), np.float64)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'stats/robustness.py',
    'said = [np.argmax(votes[:, :k].sum(axis=1), axis=1) for k in ks]',
    'votes[:, :k].sum -> votes[:, :k].mean',
    'the largest mean of equally many numbers is the largest sum',
  ),
  Equivalent(
    'stats/robustness.py',
    'codes = np.arange(y.max() + 1)',
    '1 -> 2',
    'a class more has no votes',
  ),
  Equivalent(
    'stats/several.py',
    'of_others = 1 - (ranks[~own] - stats.rankdata(values[~own, c])) / m',
    '1 -> 2',
    'only its variance is read',
  ),
  Equivalent(
    'cluster/pca.py',
    'components=components * jnp.where(signs < 0, -1.0, 1.0),',
    'signs < 0 -> signs <= 0',
    'the largest of a component of length 1 is not 0',
  ),
  Equivalent(
    'cluster/pca.py',
    'components=components * jnp.where(signs < 0, -1.0, 1.0),',
    'components * jnp.where(signs < 0, -1.0, 1.0) -> components / '
    'jnp.where(signs < 0, -1.0, 1.0)',
    'it is 1 or -1',
  ),
  Equivalent(
    'cluster/pca.py',
    'wide = shape[0] <= shape[1]',
    'shape[0] <= shape[1] -> shape[0] < shape[1]',
    'both ways are for as many rows as columns',
  ),
  Equivalent(
    'cluster/pca.py',
    'body = jnp.moveaxis(body, 0, 1).reshape(len(directions), -1)',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'cluster/pca.py',
    'explained_variance_ratio=kept / jnp.where(total > 0, total, 1.0),',
    '1.0 -> 2.0',
    _EMPTY,
  ),
  Equivalent(
    'cluster/pca.py',
    'if isinstance(x, np.ndarray) and large:',
    'isinstance(x, np.ndarray) and large -> isinstance(x, np.ndarray) or large',
    _BLOCKS,
  ),
  Equivalent(
    'verdict/chance.py',
    'means = means.reshape(-1, *shape)',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'verdict/chance.py',
    'rows = np.where(np.abs(rows - cv) <= ranks.TIE * cv, cv, rows)',
    'np.abs(rows - cv) <= ranks.TIE * cv -> np.abs(rows - cv) < ranks.TIE * cv',
    'rounding is far below that',
  ),
  Equivalent(
    'verdict/gains.py',
    'sd = np.sqrt(np.mean(centred**2, axis=1, keepdims=True))',
    'np.mean -> np.sum',
    'both logits become as many times smaller',
  ),
  Equivalent(
    'verdict/gains.py',
    'ranks = stats.rankdata(np.round(logits, 12), axis=1)',
    '12 -> 13',
    'neither is a last bit',
  ),
  Equivalent(
    'datasets/splits.py',
    'where = _folds(cohort, rows, folds, what, seed, 0)',
    '0 -> 1',
    'another stream of the seed is as random',
  ),
  Equivalent(
    'datasets/splits.py',
    "kind = 'training images' if all(c.split for c in rows) else 'images'",
    'all -> any',
    'all of them have a split, or none has',
  ),
  Equivalent(
    'datasets/splits.py',
    'state = int(stream.integers(2**31))',
    '31 -> 32',
    'other numbers are as random',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'mean = sums / jnp.where(filled, counts, 1)[:, None].astype(sums.dtype)',
    '1 -> 2',
    _EMPTY,
  ),
  Equivalent(
    'datasets/splits.py',
    'stream = rng.generator(seed, rng.Purpose.SPLIT, 0)',
    '0 -> 1',
    'another stream of the seed is as random',
  ),
  Equivalent(
    'datasets/splits.py',
    "cohort, training, 'validation', validation_share, seed, 1, fold",
    '1 -> 2',
    'another stream of the seed is as random',
  ),
  Equivalent(
    'datasets/splits.py',
    "held_out = _share(cohort, rows, 'test', test_share, seed, 0)",
    '0 -> 1',
    'another stream of the seed is as random',
  ),
  Equivalent(
    'datasets/splits.py',
    'if len(rows) > _MANY and len(set(units)) == len(rows):',
    'len(rows) > _MANY -> len(rows) >= _MANY',
    'both ways of splitting are right',
  ),
  Equivalent(
    'datasets/leaks.py',
    'half = max(dimension - 1, 1e-9) / 2',
    '1e-09 -> 2e-09',
    'either is next to 0',
  ),
  Equivalent(
    'datasets/leaks.py',
    "if not all(map(_column('pixels_sha256'), used)):",
    'all -> any',
    'all of them are images, or none is',
  ),
  Equivalent(
    'datasets/leaks.py',
    'if chance <= _MOST_BY_CHANCE:',
    'chance <= _MOST_BY_CHANCE -> chance < _MOST_BY_CHANCE',
    'no dimension gives that number to the last bit',
  ),
  Equivalent(
    'datasets/selection.py',
    'paths = [p for p in dict.fromkeys(paths) if p not in self._found]',
    'p not in self._found -> p in self._found',
    'what was not looked at ahead is looked at when it is asked for',
  ),
  Equivalent(
    'datasets/selection.py',
    'parts = [paths[i : i + size] for i in range(0, len(paths), size)]',
    'i + size -> i - size',
    'what was not looked at ahead is looked at when it is asked for',
  ),
  Equivalent(
    'datasets/selection.py',
    'size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)',
    '8 -> 9',
    'parts of another size hold the same images',
  ),
  Equivalent(
    'datasets/selection.py',
    'size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)',
    '1 -> 2',
    'parts of another size hold the same images',
  ),
  Equivalent(
    'cluster/kmeans.py',
    'tol > 0,',
    'tol > 0 -> tol >= 0',
    '0 times the variance is 0',
  ),
  Equivalent(
    'cluster/fuzzy.py',
    'if abs(exponent - round(exponent)) < 1e-9:',
    '1e-09 -> 2e-09',
    'rounding is far below that',
  ),
  Equivalent(
    'datasets/selection.py',
    'parts = [paths[i : i + size] for i in range(0, len(paths), size)]',
    '0 -> 1',
    'what was not looked at ahead is looked at when it is asked for',
  ),
  Equivalent(
    'datasets/selection.py',
    'size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)',
    'min -> max',
    'parts of another size hold the same images',
  ),
  Equivalent(
    'datasets/augmentation.py',
    'horizontal = stream.random() < 0.5',
    'stream.random() < 0.5 -> stream.random() <= 0.5',
    'one of 2^53 numbers is a half',
  ),
  Equivalent(
    'datasets/augmentation.py',
    'margin = math.ceil(size / 2 * (reach - 1)) + 1',
    'size / 2 -> size * 2',
    'a wider margin holds the same pixels',
  ),
  Equivalent(
    'datasets/augmentation.py',
    'margin = math.ceil(size / 2 * (reach - 1)) + 1',
    'reach - 1 -> reach + 1',
    'a wider margin holds the same pixels',
  ),
  Equivalent(
    'datasets/augmentation.py',
    'margin = math.ceil(size / 2 * (reach - 1)) + 1',
    '1 -> 2',
    'a wider margin holds the same pixels',
  ),
  Equivalent(
    'datasets/augmentation.py',
    'margin = math.ceil(size / 2 * (reach - 1)) + 1',
    'math.ceil -> math.floor',
    'a whole pixel is added, which is as far',
  ),
  Equivalent(
    'verdict/published.py',
    'cv_p = share(cvs >= cv - _TIE)',
    'cvs >= cv - _TIE -> cvs > cv - _TIE',
    'no coefficient is that far below',
  ),
  Equivalent(
    'verdict/published.py',
    'q = np.sum(tables**2 / n, axis=1)',
    'np.sum -> np.mean',
    'the order of tables is the same',
  ),
  Equivalent(
    'verdict/published.py',
    'uneven_p_value=share(q >= q[own] - _TIE),',
    'q >= q[own] - _TIE -> q > q[own] - _TIE',
    'no table is that far below',
  ),
  Equivalent(
    'verdict/published.py',
    'p_value=share(weights <= weights[own] * (1 + _TIE)),',
    'weights <= weights[own] * (1 + _TIE) -> weights < weights[own] *'
    ' (1 + _TIE)',
    'no table is that far above',
  ),
  Equivalent(
    'verdict/exchange.py',
    'if part.stop - part.start > 1:',
    'part.stop - part.start -> part.stop + part.start',
    'one image alone stays where it is',
  ),
  Equivalent(
    'verdict/exchange.py',
    'number = np.zeros(len(known[0]), np.int64)',
    'np.zeros -> np.ones',
    'numbers are made anew',
  ),
  Equivalent(
    'verdict/exchange.py',
    'yield streams[0].permuted(np.tile(at[:, 0], (rows, 1)), axis=1)',
    '0 -> 1',
    'another stream of the key is as random',
  ),
  Equivalent(
    'verdict/exchange.py',
    'if part.stop - part.start > 1:',
    'part.stop - part.start > 1 -> part.stop - part.start >= 1',
    'one image alone stays where it is',
  ),
  Equivalent(
    'verdict/exchange.py',
    'chunk = max(1, _CHUNK // at.size)',
    '1 -> 2',
    'a draw is the same in chunks of any size',
  ),
  Equivalent(
    'stats/robustness.py',
    'few = min(_OF_EACH, of_kind.shape[1] - 1)',
    '1 -> 2',
    'fewer than eleven images have no margins',
  ),
  Equivalent(
    'stats/robustness.py',
    'means.append(np.mean(nearest, axis=1))',
    'np.mean -> np.sum',
    'the sums of equally many have the same ratio',
  ),
  Equivalent(
    'verdict/folds.py',
    'if x.shape[1] <= len(x):',
    'x.shape[1] <= len(x) -> x.shape[1] < len(x)',
    'coordinates in the span have the same products',
  ),
  Equivalent(
    'verdict/ranks.py',
    'varies = sd > np.maximum(TIE * np.max(np.abs(rows), axis=0), rounding)',
    'np.max -> np.min',
    'they are equal where all are the same',
  ),
  Equivalent(
    'verdict/ranks.py',
    'return np.where(varies, centred / np.where(varies, sd, 1.0), np.nan)',
    '1.0 -> 2.0',
    _EMPTY,
  ),
  Equivalent(
    'verdict/ranks.py',
    'known = np.flatnonzero(~np.isnan(z[0]))',
    '0 -> 1',
    'a column has NaN in all its rows',
  ),
  Equivalent(
    'verdict/ranks.py',
    'above = np.mean(maxima >= z[0, order] - TIE, axis=0)',
    'maxima >= z[0, order] - TIE -> maxima > z[0, order] - TIE',
    'none is that far below',
  ),
  Equivalent(
    'stats/robustness.py',
    'near[rows] = np.where(np.isfinite(distances[rows]), order, -1)',
    '1 -> 2',
    'only that it is negative is read',
  ),
  Equivalent(
    'verdict/exchange.py',
    'chunk = max(1, _CHUNK // at.size)',
    '_CHUNK // at.size -> _CHUNK * at.size',
    'a draw is the same in chunks of any size',
  ),
  Equivalent(
    'verdict/exchange.py',
    'yield moved.reshape(rows, -1)',
    '1 -> 2',
    'NumPy takes any negative length as the one that is left',
  ),
  Equivalent(
    'verdict/folds.py',
    'return float(values[np.argmin(np.sum(losses, axis=0))])',
    'np.sum -> np.mean',
    'the least mean of equally many numbers is the least sum',
  ),
  Equivalent(
    'verdict/folds.py',
    'chunk = max(1, _MOST // (width * n))',
    '1 -> 2',
    _BLOCKS,
  ),
  Equivalent(
    'verdict/folds.py',
    'chunk = max(1, _MOST // (width * n))',
    '_MOST // (width * n) -> _MOST * (width * n)',
    _BLOCKS,
  ),
  Equivalent(
    'cluster/lloyd.py',
    'if not forms.are_of_cpu() or k not in _COMPARED:',
    'k not in _COMPARED -> k in _COMPARED',
    'both ways find the first of the smallest',
  ),
  Equivalent(
    'cluster/lloyd.py',
    'if not forms.are_of_cpu() or k not in _COMPARED:',
    'not forms.are_of_cpu() or k not in _COMPARED -> not '
    'forms.are_of_cpu() and k not in _COMPARED',
    'both ways find the first of the smallest',
  ),
  Equivalent(
    'cluster/distances.py',
    'rows = max(1, _CHUNK // max(1, n))',
    'max -> min',
    _BLOCKS,
  ),
  Equivalent(
    'cluster/distances.py',
    'error = np.std(distance, ddof=1) / np.sqrt(PAIRS)',
    '1 -> 2',
    'of a million pairs it is the seventh digit of a margin',
  ),
  Equivalent(
    'cluster/validity.py',
    'rows = max(1, _CHUNK // len(x))',
    'max -> min',
    _BLOCKS,
  ),
  Equivalent(
    'verdict/folds.py',
    'spans = squared > _NOTHING * squared[-1]',
    'squared > _NOTHING * squared[-1] -> squared >= _NOTHING * squared[-1]',
    'no eigenvalue is that number to the last bit',
  ),
  Equivalent(
    'stats/several.py',
    'if sizes.min() == 1 or spread < _NOTHING:',
    'spread < _NOTHING -> spread <= _NOTHING',
    'no spread is that number to the last bit',
  ),
)


def why(path: str, line: str, what: str) -> str | None:
  """The reason for which a change is one of these, or None."""
  for known in KNOWN:
    if (known.path, known.line, known.what) == (path, line, what):
      return known.why
  return None
