"""The ensemble against a plain NumPy loop over heads.

All of it twice: as CPU cores train heads, and as an accelerator does.
"""

from collections.abc import Callable, Iterator, Sequence
import csv
import itertools
import logging
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.heads import ensemble
from heterojax.heads import epochs
from heterojax.heads import kinds
from heterojax.heads.ensemble import Member
from heterojax.heads.ensemble import Training
from heterojax.heads.order import batch_order
from heterojax.run import checkpoint

pytestmark = pytest.mark.trains

# Eleven different numbers of batches, more than there are segments.
_SIZES = (33, 1, 7, 8, 9, 100, 16, 41, 57, 64, 65, 73, 90, 50)
_N, _DIM, _V = 140, 6, 40
_TRAINING = Training(epochs=7, patience=2, batch_size=8, learning_rate=0.05)


@pytest.fixture(
  name='devices', scope='module', params=['cores', 'accelerator'], autouse=True
)
def _devices(request: pytest.FixtureRequest) -> Iterator[str]:
  with platform.use('cpu' if request.param == 'cores' else 'cuda'):
    yield request.param


def _data(dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
  """Rows to train on, and then those that heads validate on."""
  rng = np.random.default_rng(0)
  x, truth = rng.normal(size=(_N + _V, _DIM)), rng.normal(size=_DIM)
  y = x @ truth + rng.normal(size=len(x)) > 0
  return x.astype(dtype), y.astype(int)


def _member(i: int, size: int, *, repeats: bool = False) -> Member:
  rows = np.random.default_rng([i, size]).choice(_N, size, replace=repeats)
  return Member(
    rows,
    _N + np.arange(_V),
    jax.random.fold_in(jax.random.key(1), i),
    jax.random.fold_in(jax.random.key(2), i),
  )


def _members(sizes: Sequence[int] = _SIZES) -> list[Member]:
  """Every third one draws with replacement, so some rows come twice."""
  return [_member(i, n, repeats=i % 3 == 0) for i, n in enumerate(sizes)]


_order = jax.jit(batch_order, static_argnums=3)


def _sigmoid(values: np.ndarray) -> np.ndarray:
  return 1 / (1 + np.exp(-values))


def _loop(
  member: Member,
  kernel: np.ndarray,
  training: Training,
  *,
  whole_batch: bool = False,
) -> dict[str, object]:
  """One head in float64, epoch by epoch and batch by batch, as Keras does it.

  Args:
    member: of the ensemble.
    kernel: its initial kernel.
    training: how.
    whole_batch: the mistake of averaging a smaller last batch by the size of
      the others.

  Returns:
    The head's part of an `Ensemble`.
  """
  x, y = _data(np.float64)
  x_validation, y_validation = x[member.validation], y[member.validation]
  w, size = np.append(kernel, 0.0), training.batch_size
  m, v = np.zeros_like(w), np.zeros_like(w)
  t = wait = best_epoch = 0
  best, best_w, history = -np.inf, w, []
  for epoch in range(training.epochs):
    order = np.asarray(_order(member.order_key, epoch, len(member.rows), 104))
    rows = member.rows[order[: len(member.rows)]]
    for batch in np.split(rows, range(size, len(rows), size)):
      inputs = np.append(x[batch], np.ones((len(batch), 1)), axis=1)
      residual = _sigmoid(inputs @ w) - y[batch]
      gradient = residual @ inputs / (size if whole_batch else len(batch))
      gradient[:-1] += 2 * training.l2 * w[:-1]
      t += 1
      m = 0.9 * m + 0.1 * gradient
      v = 0.999 * v + 0.001 * gradient**2
      rate = training.learning_rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
      w = w - rate * m / (np.sqrt(v) + 1e-7)
    p = _sigmoid(x_validation @ w[:-1] + w[-1])
    if training.monitor == 'val_loss':
      right = np.where(y_validation, p, 1 - p)
      value = np.log(right).mean() - training.l2 * np.sum(w[:-1] ** 2)
    else:
      value = np.mean((p > 0.5) == y_validation)
    history.append(value)
    if value > best:
      best, best_w, best_epoch, wait = value, w, epoch, 0
      continue
    wait += 1
    if wait >= training.patience and epoch > 0:
      break
  return {
    'weights': best_w,
    'best': best,
    'best_epoch': best_epoch,
    'epochs': len(history),
    'history': history + [np.nan] * (training.epochs - len(history)),
  }


def _weights(trained: ensemble.Ensemble) -> np.ndarray:
  """`[H, D + 1]`."""
  kernel, bias = (np.asarray(leaf) for leaf in trained.params)
  return np.append(kernel, bias[:, None], axis=1)


def _check_loop(
  trained: ensemble.Ensemble,
  members: list[Member],
  training: Training,
  atol: float,
) -> None:
  kernels = ensemble.initial_params(members, _DIM).kernel
  want = [
    _loop(m, np.asarray(kernel, np.float64), training)
    for m, kernel in zip(members, kernels)
  ]
  stack = {key: np.array([one[key] for one in want]) for key in want[0]}
  np.testing.assert_array_equal(trained.epochs, stack['epochs'])
  np.testing.assert_array_equal(trained.best_epoch, stack['best_epoch'])
  # The accuracy itself is float32.
  np.testing.assert_allclose(trained.best, stack['best'], atol=max(atol, 1e-7))
  np.testing.assert_allclose(
    trained.history,
    stack['history'].T[: len(trained.history)],
    atol=max(atol, 1e-7),
  )
  np.testing.assert_allclose(
    _weights(trained), stack['weights'], rtol=0, atol=atol
  )


@pytest.mark.medium
@pytest.mark.parametrize(
  'monitor,l2', [('val_loss', 0.03), ('val_accuracy', 0.0)]
)
def test_few_heads_are_the_loop(
  monitor: str, l2: float, monkeypatch: pytest.MonkeyPatch
) -> None:
  """As below with all sizes; here, too, they are more than segments."""
  monkeypatch.setattr(epochs, '_MAX_SEGMENTS', 2)
  training = Training(4, 1, 8, 0.5, monitor, l2)
  with jax.enable_x64(True):
    members = _members((33, 7, 16, 50))
    trained = ensemble.train(*_data(np.float64), members, training)
    _check_loop(trained, members, training, 1e-12)
  assert len(set(trained.epochs)) > 1


@pytest.mark.parametrize(
  'batches', [[5], [4, 4, 2, 1], [4, 4, 4, 3, 2, 1], [9, 7, 5, 4, 3, 2, 1]]
)
def test_segments_are_as_long_as_their_heads(
  batches: list[int], devices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  """One after the other, and no head is left out before its last batch."""
  del devices
  monkeypatch.setattr(epochs, '_MAX_SEGMENTS', 4)
  found = epochs.segments_of(np.array(batches))
  assert len(found) == min(4, len(set(batches)))
  assert found[0][0] == 0 and found[-1][1] == max(batches)
  for (_, end, _), (first, _, _) in itertools.pairwise(found):
    assert end == first
  for first, _, count in found:
    assert count == sum(number > first for number in batches)


@pytest.mark.slow
def test_is_the_loop_in_float64() -> None:
  training = Training(7, 2, 8, 0.05, 'val_loss')
  with jax.enable_x64(True):
    members = _members()
    trained = ensemble.train(*_data(np.float64), members, training)
    _check_loop(trained, members, training, 1e-12)
    # The loop would notice a last batch that is averaged by another's size.
    i = _SIZES.index(33)
    kernel = ensemble.initial_params(members, _DIM).kernel[i]
    wrong = _loop(members[i], np.asarray(kernel), training, whole_batch=True)
    assert np.abs(wrong['weights'] - _weights(trained)[i]).max() > 1e-4
  # Heads that stop at different times, and some that never do.
  assert len(set(trained.epochs)) > 2
  assert trained.epochs.max() == training.epochs


@pytest.fixture(name='trained', scope='module')
def _trained(devices: str) -> ensemble.Ensemble:
  del devices
  return ensemble.train(*_data(), _members(), _TRAINING)


@pytest.mark.slow
def test_is_the_loop_in_float32(trained: ensemble.Ensemble) -> None:
  assert trained.params.kernel.dtype == np.float32
  assert np.abs(_weights(trained)).max() > 0.5
  assert len(set(trained.best_epoch)) > 2
  _check_loop(trained, _members(), _TRAINING, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
  'monitor,l2', [('val_accuracy', 0.0), ('val_loss', 0.03)]
)
def test_every_head_has_its_own_validation(monitor: str, l2: float) -> None:
  training = Training(7, 2, 8, 0.05, monitor, l2)
  rng = np.random.default_rng(5)
  members = [
    # Some rows twice, and some that other heads, or it itself, train on.
    m._replace(validation=rng.integers(_N + _V, size=size))
    for m, size in zip(
      _members((33, 40, 7, 8, 33, 1, 36, 38)), (1, 2, 7, 40, 13, 29, 3, 80)
    )
  ]
  with jax.enable_x64(True):
    trained = ensemble.train(*_data(np.float64), members, training)
    _check_loop(trained, members, training, 1e-12)
  # They decide differently from one another.
  assert len(set(trained.best_epoch)) > 2 and len(set(trained.epochs)) > 1


@pytest.mark.slow
@pytest.mark.parametrize('monitor', ensemble.MONITORS)
def test_a_row_that_is_validated_twice_counts_twice(monitor: str) -> None:
  """Training is the same, so that only the monitored value can differ."""
  member = _members()[0]
  once = np.array([_N, _N + 1, _N + 2])
  thrice = np.repeat(once, [3, 1, 1])
  parts = [
    member._replace(validation=rows)
    for rows in (thrice, once, once[:1], once[1:2], once[2:])
  ]
  training = Training(4, 9, 8, 0.05, monitor)
  with jax.enable_x64(True):
    trained = ensemble.train(*_data(np.float64), parts, training)
  repeated, whole, *alone = trained.history.T
  np.testing.assert_allclose(whole, np.mean(alone, axis=0), atol=1e-7)
  np.testing.assert_allclose(
    repeated, np.average(alone, axis=0, weights=[3, 1, 1]), atol=1e-7
  )
  assert np.abs(repeated - whole).max() > 1e-3


@pytest.mark.slow
def test_heads_of_folds_are_those_of_each_fold_alone() -> None:
  """One program for several folds, each with validation rows of its own."""
  training = Training(6, 2, 8, 0.05, 'val_loss')
  folds = [
    [
      _member(10 * fold + i, size)._replace(
        validation=np.arange(_N + 10 * fold, _N + 10 * fold + 13)
      )
      for i, size in enumerate((30, 9, 9, 27))
    ]
    for fold in range(3)
  ]
  with jax.enable_x64(True):
    data = _data(np.float64)
    together = ensemble.train(
      *data, list(itertools.chain.from_iterable(folds)), training
    )
    apart = [ensemble.train(*data, fold, training) for fold in folds]
  for name in ('best', 'best_epoch', 'epochs'):
    want = np.concatenate([getattr(one, name) for one in apart])
    np.testing.assert_allclose(getattr(together, name), want, atol=1e-12)
  np.testing.assert_allclose(
    _weights(together),
    np.concatenate([_weights(one) for one in apart]),
    rtol=0,
    atol=1e-12,
  )
  want = [one.history[: one.epochs[h], h] for one in apart for h in range(4)]
  for h, own in enumerate(want):
    np.testing.assert_allclose(together.history[: len(own), h], own, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize('value', [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize('monitor', ensemble.MONITORS)
def test_a_broken_validation_row_harms_no_other_head(
  monitor: str, value: float
) -> None:
  x, y = _data()
  training = Training(5, 4, 8, 0.05, monitor)
  sets = [[150, 151], [160, 150], [152, 153, 154], [170]]
  members = [
    m._replace(validation=np.array(rows))
    for m, rows in zip(_members((7, 8, 1, 5)), sets)
  ]
  fine = ensemble.train(x, y, members, training)
  x = x.copy()
  x[160] = value
  got = ensemble.train(x, y, members, training)
  others = [0, 2, 3]
  np.testing.assert_array_equal(_weights(got)[others], _weights(fine)[others])
  np.testing.assert_array_equal(got.history[:, others], fine.history[:, others])
  assert np.isfinite(_weights(got)).all()
  assert got.best[1] == -np.inf and (got.history[:4, 1] == -np.inf).all()


def _logistic_regression(
  x: np.ndarray, y: np.ndarray, training: Training
) -> tuple[np.ndarray, np.ndarray, ensemble.Ensemble]:
  """Errors of the coefficients and of the intercept, at C = 1."""
  n = len(y)
  oracle = LogisticRegression(
    C=1, solver='newton-cholesky', tol=1e-12, max_iter=1000
  ).fit(x, y)
  rows = np.arange(n)
  member = Member(rows, rows, jax.random.key(0), jax.random.key(1))
  # The intercept is free, so that centred features have the same coefficients;
  # gradient descent takes far longer on features that are all positive.
  mean = x.mean(axis=0)
  with jax.enable_x64(True):
    trained = ensemble.train(jnp.asarray(x - mean), y, [member], training)
    kernel, bias = (np.asarray(leaf[0]) for leaf in trained.params)
  return (
    np.abs(kernel - oracle.coef_[0]).max(),
    np.abs(bias - kernel @ mean - oracle.intercept_[0]),
    trained,
  )


def _converging(n: int) -> Training:
  """All rows at once, and scikit-learn's penalty: C = 1 / (2 l2 n)."""
  return Training(500, 500, n, 0.1, 'val_loss', 1 / (2 * n))


@pytest.mark.slow
def test_converges_to_logistic_regression() -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(200, 20)) + 0.5
  y = (x @ rng.normal(size=20) + rng.normal(size=200) > 0).astype(int)
  kernel, bias, trained = _logistic_regression(x, y, _converging(200))
  assert kernel < 1e-5 and bias < 1e-5
  # No other penalty would do.
  wrong = Training(500, 500, 200, 0.1, 'val_loss', 1 / 200)
  assert _logistic_regression(x, y, wrong)[0] > 0.05
  # What is monitored is the loss with its penalty, which is at its minimum.
  centred = x - x.mean(axis=0)
  kernel, bias = (np.asarray(leaf[0]) for leaf in trained.params)
  logits = centred @ kernel + bias
  loss = np.mean(np.logaddexp(0, logits) - y * logits)
  penalty = np.sum(kernel**2) / (2 * 200)
  assert trained.best[0] == pytest.approx(-(loss + penalty), abs=1e-12)


@pytest.mark.slow
def test_converges_to_logistic_regression_on_real_features() -> None:
  """512 features of 75 photographs."""
  shared = pathlib.Path(__file__).resolve().parents[2] / 'shared'
  name = 'teeth_features_100_red_whole_fold_0.csv'
  path = shared / 'data' / 'mendez_features' / name
  if not path.is_file():
    pytest.skip('the shared features are not beside this checkout')
  with path.open(newline='') as file:
    rows = [r for r in csv.DictReader(file) if r['phase'] == 'train']
  x = np.array([[float(r[str(i)]) for i in range(512)] for r in rows])
  y = np.array([int(float(r['labels'])) for r in rows])
  kernel, bias, _ = _logistic_regression(x, y, _converging(len(y)))
  assert kernel < 1e-5 and bias < 1e-4


@pytest.mark.medium
def test_a_stopped_head_does_not_move(trained: ensemble.Ensemble) -> None:
  # That its weights are those of its best epoch, the loop has shown.
  stopped = trained.epochs < len(trained.history)
  assert stopped.any()
  for h, end in enumerate(trained.epochs):
    assert not np.isnan(trained.history[:end, h]).any()
    assert np.isnan(trained.history[end:, h]).all()
    assert trained.history[trained.best_epoch[h], h] == trained.best[h]


@pytest.mark.slow
def test_other_heads_change_nothing(trained: ensemble.Ensemble) -> None:
  members = _members()
  # Larger and smaller than all others, and in front.
  more = [_member(100, 130), *members, _member(101, 3)]
  np.testing.assert_array_equal(
    ensemble.initial_params(more, _DIM).kernel[1:-1],
    ensemble.initial_params(members, _DIM).kernel,
  )
  again = ensemble.train(*_data(), more, _TRAINING)
  np.testing.assert_allclose(
    _weights(again)[1:-1], _weights(trained), rtol=0, atol=2e-6
  )
  np.testing.assert_array_equal(again.best_epoch[1:-1], trained.best_epoch)
  np.testing.assert_array_equal(again.epochs[1:-1], trained.epochs)
  np.testing.assert_array_equal(
    again.history[: len(trained.history), 1:-1], trained.history
  )


@pytest.mark.slow
@pytest.mark.parametrize('task', ['classification', 'regression'])
def test_bits_do_not_depend_on_cores_or_other_heads(
  task: str, devices: str, use_cores: Callable[[int], None]
) -> None:
  if devices != 'cores':
    pytest.skip('an accelerator trains all heads in one program')
  training = Training(4, 4, 8, 0.05, 'val_loss', 0.0, task, (5, 3))
  x, y = _data()
  members = _members()
  results = []
  for number, count in ((1, 14), (2, 14), (5, 14), (20, 14), (2, 9), (3, 1)):
    use_cores(number)
    trained = ensemble.train(x, y, members[:count], training)
    logits = ensemble.predict(trained.params, x)
    results.append([*jax.tree.leaves(trained), logits])
  for other in results[1:]:
    for got, want in zip(other, results[0], strict=True):
      # A history has its heads last.
      if np.shape(want) == (4, 14):
        got, want = np.transpose(got), np.transpose(want)
      np.testing.assert_array_equal(got, want[: len(got)])


@pytest.mark.slow
def test_a_head_does_no_work_beyond_its_own(
  devices: str, monkeypatch: pytest.MonkeyPatch
) -> None:
  """Steps are counted, and there are no more than heads have batches."""
  batches = np.array([100, 3, 2, 2, 2, 1, 1, 1])
  if devices == 'accelerator':
    segments = epochs.segments_of(batches)
    steps = [(end - first) * count for first, end, count in segments]
    assert sum(steps) == batches.sum()
    return
  steps = []
  kind = kinds.KINDS['classification']

  def counting(*args):
    jax.debug.callback(lambda: steps.append(1))
    return kind.gradients(*args)

  monkeypatch.setitem(
    kinds.KINDS, 'classification', kind._replace(gradients=counting)
  )
  cores.forget_programs()
  members = [_member(i, 8 * n, repeats=True) for i, n in enumerate(batches)]
  ensemble.train(*_data(), members, Training(2, 2, 8, 0.05))
  jax.effects_barrier()
  cores.forget_programs()
  assert len(steps) == 2 * batches.sum()


@pytest.mark.slow
@pytest.mark.parametrize(
  'monitor, value', [('val_accuracy', np.inf), ('val_loss', np.nan)]
)
def test_a_diverging_head_harms_no_other(monitor: str, value: float) -> None:
  x, y = _data()
  training = Training(3, 2, 8, 0.05, monitor)
  members = _members((20, 9, 1, 16))
  # Row 0 is the one that a careless padding would show to every head.
  rows = [np.arange(1, 1 + len(m.rows)) for m in members]
  rows[1] = np.arange(9)
  members = [m._replace(rows=r) for m, r in zip(members, rows)]
  fine = ensemble.train(x, y, members, training)
  x = x.copy()
  x[0] = value
  got = ensemble.train(x, y, members, training)
  others = [0, 2, 3]
  np.testing.assert_array_equal(_weights(got)[others], _weights(fine)[others])
  np.testing.assert_array_equal(got.best[others], fine.best[others])
  np.testing.assert_array_equal(got.history[:, others], fine.history[:, others])
  np.testing.assert_array_equal(got.epochs[others], fine.epochs[others])
  # The head itself stops, says so, and is what it was at the start.
  assert got.best[1] == -np.inf
  assert got.epochs[1] == 2
  np.testing.assert_array_equal(
    got.params.kernel[1], ensemble.initial_params(members, _DIM).kernel[1]
  )


@pytest.mark.slow
def test_given_initial_weights() -> None:
  members = _members((9, 1, 20))
  params = jax.tree.map(
    lambda leaf: leaf + 1, ensemble.initial_params(members, _DIM)
  )
  kernel = np.array(params.kernel)
  trained = ensemble.train(
    *_data(), members, Training(1, 1, 8, 0.0), params=params
  )
  np.testing.assert_array_equal(trained.params.kernel, kernel)
  np.testing.assert_array_equal(trained.params.bias, np.ones(3))
  # They are still the caller's.
  np.testing.assert_array_equal(params.kernel, kernel)


def test_predict() -> None:
  members = _members((9, 1, 20))
  params = ensemble.initial_params(members, _DIM)
  params = params._replace(bias=jnp.array([0.0, 1.0, -2.0]))
  x = _data()[0]
  got = ensemble.predict(params, x)
  assert got.shape == (3, _N + _V)
  np.testing.assert_allclose(
    got,
    np.asarray(params.kernel) @ x.T + np.array([[0.0], [1.0], [-2.0]]),
    rtol=1e-5,
    atol=1e-5,
  )


@pytest.mark.slow
def test_compiles_once_for_each_device(
  caplog: pytest.LogCaptureFixture,
) -> None:
  with jax.log_compiles(), caplog.at_level(logging.WARNING):
    trained = ensemble.train(
      *_data(), _members((9, 2, 21)), Training(5, 5, 8, 0.05)
    )
    # Other rows and keys, but as many.
    others = [_member(i + 7, n) for i, n in enumerate((9, 2, 21))]
    ensemble.train(*_data(), others, Training(5, 5, 8, 0.05))
  assert len(trained.history) == 5
  compiled = [
    r
    for r in caplog.records
    if r.getMessage().startswith((
      'Compiling jit(one_by_one) ',
      'Compiling jit(together) ',
    ))
  ]
  assert len(compiled) == len(cores.devices())


@pytest.mark.slow
def test_a_stopped_training_goes_on_with_the_same_bits(
  tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  """After two of six epochs."""
  monkeypatch.setattr(checkpoint, '_MOST_SHARE', np.inf)  # Keep every epoch.
  training = Training(6, 1, 8, 0.05, 'val_loss')
  members = _members((9, 30, 51))
  want = ensemble.train(*_data(), members, training)
  steps = checkpoint.Steps(tmp_path, 'these')
  save = steps.save

  def stop(number: int, state: dict[str, object]) -> None:
    save(number, state)
    if number == 2:
      raise KeyboardInterrupt

  monkeypatch.setattr(steps, 'save', stop)
  with pytest.raises(KeyboardInterrupt):
    ensemble.train(*_data(), members, training, steps=steps)
  again = checkpoint.Steps(tmp_path, 'these')
  got = ensemble.train(*_data(), members, training, steps=again)
  assert again.resumed == 2
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_array_equal(a, b)


def test_mistakes() -> None:
  with pytest.raises(ValueError, match="monitor 'loss'"):
    ensemble.train(*_data(), _members((3,)), Training(1, 1, 8, 0.1, 'loss'))
  members = _members((3, 5))
  members.append(members[0]._replace(rows=np.zeros(0, int)))
  with pytest.raises(ValueError, match='head 2 has no rows'):
    ensemble.train(*_data(), members, _TRAINING)
  members[2] = members[0]._replace(validation=np.zeros(0, int))
  with pytest.raises(ValueError, match='head 2 has no validation rows'):
    ensemble.train(*_data(), members, _TRAINING)
