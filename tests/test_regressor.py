"""The regression head, alone and in the ensemble, against plain NumPy."""

from collections.abc import Sequence
import csv
import logging
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.linear_model import Ridge

from heterojax.compute import cores
from heterojax.heads import ensemble
from heterojax.heads import regressor
from heterojax.heads.ensemble import Member
from heterojax.heads.ensemble import Training
from heterojax.heads.order import batch_order
from heterojax.run import checkpoint

pytestmark = pytest.mark.trains

# Three numbers of batches of 8, and a head whose only row has no sd.
_SIZES = (33, 1, 9, 40, 16)
_N, _DIM, _V, _WIDTHS = 80, 5, 30, (7, 6, 4)
_TRAINING = Training(
  6, 2, 8, 0.03, 'val_loss', task='regression', widths=_WIDTHS
)


_order = jax.jit(batch_order, static_argnums=3)


def _data(dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
  """Features of different sizes, one of them constant, and ages in months."""
  rng = np.random.default_rng(0)
  x = np.maximum(rng.normal(size=(_N + _V, _DIM)), 0) * 10.0 ** -np.arange(5)
  x[:, 3] = 0.1
  z = x * 10.0 ** np.arange(5)
  y = 120 + 40 * np.sin(z[:, 0]) - 30 * z[:, 1] * z[:, 4]
  y += rng.normal(size=len(x))
  return x.astype(dtype), y.astype(dtype)


def _member(i: int, size: int) -> Member:
  rng = np.random.default_rng([i, size])
  return Member(
    rng.choice(_N, size, replace=i % 3 == 0),
    _N + rng.choice(_V, 20),
    jax.random.fold_in(jax.random.key(1), i),
    jax.random.fold_in(jax.random.key(2), i),
  )


def _members(sizes: Sequence[int] = _SIZES) -> list[Member]:
  return [_member(i, size) for i, size in enumerate(sizes)]


def _start(members: Sequence[Member], widths: tuple[int, ...] = _WIDTHS):
  return ensemble.initial_params(members, _DIM, 'regression', widths)


def _flat(params: regressor.Params) -> np.ndarray:
  """`[H, ...]` all weights and scales of each head."""
  leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
  return np.concatenate([a.reshape(len(a), -1) for a in leaves], axis=1)


def _forward(weights: list[np.ndarray], z: np.ndarray) -> list[np.ndarray]:
  """Input of each layer, and the output; kernel and bias take turns."""
  inputs = [z]
  for i in range(0, len(weights), 2):
    z = inputs[-1] @ weights[i] + weights[i + 1]
    inputs.append(np.maximum(z, 0) if i + 2 < len(weights) else z)
  return inputs


def _backward(
  weights: list[np.ndarray], z: np.ndarray, t: np.ndarray, l2: float
) -> list[np.ndarray]:
  """Derivatives of the mean squared error and the penalty, by hand."""
  inputs = _forward(weights, z)
  delta = 2 * (inputs[-1] - t[:, None]) / len(t)
  grads = []
  for i in range(len(weights) - 2, -1, -2):
    own = inputs[i // 2]
    grads = [own.T @ delta + 2 * l2 * weights[i], delta.sum(axis=0), *grads]
    delta = (delta @ weights[i].T) * (own > 0)
  return grads


def _spread(x: np.ndarray) -> np.ndarray:
  """`[D]` sd of the features, none below 0.3 of their root mean variance."""
  std = np.where(np.ptp(x, axis=0) == 0, 0, x.std(axis=0))
  return np.maximum(std, 0.3 * np.sqrt(np.mean(std**2)) or 1.0)


def _loop(
  member: Member, weights: list[np.ndarray], training: Training
) -> tuple[list[float], int, np.ndarray]:
  """One head in float64, epoch by epoch and batch by batch.

  Returns:
    History, best epoch, and predictions of all rows in months.
  """
  x, y = _data(np.float64)
  own = x[member.rows]
  z = (x - own.mean(axis=0)) / _spread(own)
  y_mean, y_std = y[member.rows].mean(), y[member.rows].std() or 1.0
  t = (y - y_mean) / y_std
  m, v = ([np.zeros_like(w) for w in weights] for _ in range(2))
  count = wait = best_epoch = 0
  best, kept, history = -np.inf, weights, []
  for epoch in range(training.epochs):
    order = _order(member.order_key, epoch, len(own), len(own))
    rows = member.rows[np.asarray(order)]
    for batch in np.split(rows, range(8, len(rows), 8)):
      grads = _backward(weights, z[batch], t[batch], training.l2)
      count += 1
      rate = training.learning_rate * np.sqrt(1 - 0.999**count)
      rate /= 1 - 0.9**count
      m = [0.9 * a + 0.1 * g for a, g in zip(m, grads)]
      v = [0.999 * a + 0.001 * g**2 for a, g in zip(v, grads)]
      weights = [
        w - rate * a / (np.sqrt(b) + 1e-7) for w, a, b in zip(weights, m, v)
      ]
    out = _forward(weights, z[member.validation])[-1][:, 0]
    value = -np.mean((out - t[member.validation]) ** 2)
    value -= training.l2 * sum(np.sum(w**2) for w in weights[::2])
    history.append(value)
    if value > best:
      best, kept, best_epoch, wait = value, weights, epoch, 0
      continue
    wait += 1
    if wait >= training.patience and epoch > 0:
      break
  return history, best_epoch, _forward(kept, z)[-1][:, 0] * y_std + y_mean


@pytest.mark.slow
@pytest.mark.parametrize(
  'widths, l2', [(_WIDTHS, 0.0), (_WIDTHS, 0.03), ((), 0.0)]
)
def test_is_the_loop(widths: tuple[int, ...], l2: float) -> None:
  training = Training(6, 2, 8, 0.03, 'val_loss', l2, 'regression', widths)
  members = _members()
  with jax.enable_x64(True):
    x, y = _data(np.float64)
    start = _start(members, widths)
    trained = ensemble.train(x, y, members, training)
    got = np.asarray(ensemble.predict(trained.params, x))
    for h, member in enumerate(members):
      weights = [np.asarray(leaf[h]) for leaf in jax.tree.leaves(start.layers)]
      history, best_epoch, want = _loop(member, weights, training)
      assert trained.epochs[h] == len(history)
      assert trained.best_epoch[h] == best_epoch
      np.testing.assert_allclose(
        trained.history[: len(history), h], history, rtol=1e-9
      )
      np.testing.assert_allclose(got[h], want, rtol=1e-9)
  if not l2:  # With it, the penalty falls in every epoch.
    assert len(set(trained.best_epoch)) > 1


@pytest.mark.slow
def test_gradients_are_those_by_hand_and_ignore_padding() -> None:
  with jax.enable_x64(True):
    x, y = (jnp.asarray(a) for a in _data(np.float64))
    params = regressor.init(jax.random.key(0), _DIM, _WIDTHS)
    params = regressor.standardise(params, x, y, jnp.ones(len(x)))
    z = (x - params.feature_mean[None]) / params.feature_std[None]
    t = (y - params.mean) / params.std
    shares = jnp.asarray([1.0] * 6 + [0.0] * 2) / 6
    rows = jnp.arange(8)
    got = regressor.gradients(params, x, rows, y[:8], shares, 0.1)
    weights = [np.asarray(leaf) for leaf in jax.tree.leaves(params.layers)]
    want = _backward(weights, np.asarray(z[:6]), np.asarray(t[:6]), 0.1)
    for a, b in zip(jax.tree.leaves(got.layers), want, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-12)
    for scale in got[1:]:
      assert not np.any(scale)
    nothing = regressor.gradients(params, x, rows, y[:8], jnp.zeros(8))
    assert not np.any(_flat(jax.tree.map(lambda leaf: leaf[None], nothing)))
    # The loss is of the standardised target, the outputs are in its units.
    out = regressor.outputs(params, x[:6])
    assert float(regressor.loss(params, x[:8], y[:8], shares)) == pytest.approx(
      float(jnp.mean((out - y[:6]) ** 2) / params.std**2), rel=1e-12
    )


@pytest.mark.slow
def test_initial_weights() -> None:
  params = regressor.init(jax.random.key(0), 400, (300, 200))
  shapes = [(400, 300), (300, 200), (200, 1)]
  assert [layer.kernel.shape for layer in params.layers] == shapes
  for layer, (inputs, outs) in zip(params.layers, shapes):
    limit = (6 / (inputs + outs)) ** 0.5
    largest = float(jnp.abs(layer.kernel).max())
    assert 0.97 * limit < largest <= limit * (1 + 1e-6)
    assert layer.bias.shape == (outs,) and not np.any(layer.bias)
  # Layers do not share their draws.
  draws = [np.asarray(layer.kernel).flat[:200] for layer in params.layers]
  assert abs(np.corrcoef(draws)[np.triu_indices(3, 1)]).max() < 0.3
  # Without scales, features and target are taken as they are.
  x = jnp.full((2, 400), 2.0)
  weights = [np.asarray(leaf) for leaf in jax.tree.leaves(params.layers)]
  want = _forward(weights, np.asarray(x))[-1][:, 0]
  np.testing.assert_allclose(regressor.outputs(params, x), want, rtol=1e-4)


@pytest.mark.medium
@pytest.mark.parametrize('value', [0.1, 1e-30, 3e4, 0.0])
def test_scales(value: float) -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(97, 4)).astype(np.float32)
  # A rounded mean of equal numbers would give this column a tiny sd.
  x[:, 2] = value
  padded = np.concatenate([x, np.full((5, 4), 99, np.float32)])
  mean, std = regressor.scales(jnp.asarray(padded), jnp.arange(102) < 97)
  np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-4, atol=1e-7)
  varied = np.array([0, 1, 3])
  np.testing.assert_allclose(std[varied], x.std(axis=0)[varied], rtol=1e-5)
  assert float(std[2]) == 0


@pytest.mark.slow
def test_a_feature_that_hardly_varies_is_not_blown_up() -> None:
  rng = np.random.default_rng(0)
  x = rng.normal(size=(40, 3)) * [1.0, 2.0, 1e-3]
  start = regressor.init(jax.random.key(0), 3, ())
  own = regressor.standardise(
    start, jnp.asarray(x), jnp.asarray(x[:, 0]), jnp.ones(40)
  )
  root_mean = np.sqrt(np.mean(x.std(axis=0) ** 2))
  want = [*x[:, :2].std(axis=0), 0.3 * root_mean]
  np.testing.assert_allclose(own.feature_std, want, rtol=1e-5)
  constant = regressor.standardise(
    start, jnp.full((40, 3), 7.0), jnp.arange(40.0), jnp.ones(40)
  )
  np.testing.assert_array_equal(constant.feature_std, 1)


@pytest.mark.slow
def test_a_constant_target_is_predicted() -> None:
  x, _ = _data()
  trained = ensemble.train(x, np.full(len(x), 7.0), _members((9,)), _TRAINING)
  assert float(trained.params.std[0]) == 1
  got = ensemble.predict(trained.params, x)
  assert np.isfinite(got).all()
  np.testing.assert_allclose(got[0, :_N].mean(), 7, atol=1.5)


def _least_squares(l2: float) -> tuple[np.ndarray, np.ndarray]:
  """Predictions of a head without hidden layers, and of scikit-learn."""
  rng = np.random.default_rng(1)
  x = rng.normal(size=(150, 8)) * np.geomspace(1, 3, 8) + 5
  y = x @ (rng.normal(size=8) / np.geomspace(1, 3, 8)) + rng.normal(size=150)
  y = 120 + 20 * y
  rows = np.arange(100)
  member = Member(rows, rows, jax.random.key(0), jax.random.key(1))
  training = Training(2500, 2500, 100, 0.02, 'val_loss', l2, 'regression', ())
  with jax.enable_x64(True):
    trained = ensemble.train(jnp.asarray(x), y, [member], training)
    got = np.asarray(ensemble.predict(trained.params, x)[0])
  z = (x - x[:100].mean(axis=0)) / x[:100].std(axis=0)
  oracle = Ridge(100 * l2) if l2 else LinearRegression()
  return got, oracle.fit(z[:100], y[:100]).predict(z)


@pytest.mark.slow
@pytest.mark.parametrize('l2', [0.0, 0.5])
def test_without_hidden_layers_it_is_linear_regression(l2: float) -> None:
  got, want = _least_squares(l2)
  np.testing.assert_allclose(got, want, rtol=1e-6)
  assert np.ptp(want) > 20


@pytest.mark.slow
def test_other_heads_change_nothing() -> None:
  members = _members()
  more = [_member(100, 70), *members, _member(101, 3)]
  np.testing.assert_array_equal(
    _flat(_start(more))[1:-1], _flat(_start(members))
  )
  with jax.enable_x64(True):
    data = _data(np.float64)
    alone = ensemble.train(*data, members, _TRAINING)
    again = ensemble.train(*data, more, _TRAINING)
    one = ensemble.train(*data, members[3:4], _TRAINING)
  got = _flat(again.params)[1:-1]
  np.testing.assert_allclose(got, _flat(alone.params), rtol=0, atol=1e-9)
  np.testing.assert_allclose(got[3:4], _flat(one.params), rtol=0, atol=1e-9)
  np.testing.assert_array_equal(again.best_epoch[1:-1], alone.best_epoch)


@pytest.mark.slow
@pytest.mark.parametrize('value', [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize('row', [0, _N])
def test_a_broken_row_harms_no_other_head(value: float, row: int) -> None:
  """Training row 0 is what a careless padding would show to every head."""
  x, y = _data()
  members = [
    m._replace(rows=1 + np.arange(len(m.rows)), validation=_N + np.arange(1, 9))
    for m in _members((20, 9, 1, 16))
  ]
  members[1] = members[1]._replace(
    rows=np.arange(9), validation=_N + np.arange(5)
  )
  fine = ensemble.train(x, y, members, _TRAINING)
  x = x.copy()
  x[row] = value
  got = ensemble.train(x, y, members, _TRAINING)
  others = [0, 2, 3]
  np.testing.assert_array_equal(
    _flat(got.params)[others], _flat(fine.params)[others]
  )
  np.testing.assert_array_equal(got.history[:, others], fine.history[:, others])
  # The head itself stops, says so, and is what it was at the start.
  assert got.best[1] == -np.inf and got.epochs[1] == 2
  for a, b in zip(got.params.layers, _start(members).layers, strict=True):
    np.testing.assert_array_equal(a.kernel[1], b.kernel[1])


@pytest.mark.slow
def test_given_initial_weights() -> None:
  members, (x, y) = _members((9, 1, 20)), _data()
  params = jax.tree.map(lambda leaf: leaf + 1, _start(members))
  training = Training(
    1, 1, 8, 0.0, 'val_loss', task='regression', widths=_WIDTHS
  )
  trained = ensemble.train(x, y, members, training, params=params)
  for a, b in zip(trained.params.layers, params.layers, strict=True):
    np.testing.assert_array_equal(a.kernel, b.kernel)
  want = [y[m.rows].mean() for m in members]
  np.testing.assert_allclose(trained.params.mean, want, rtol=1e-6)


@pytest.mark.slow
def test_weights_survive_a_checkpoint(tmp_path: pathlib.Path) -> None:
  params = _start(_members((9, 3)))
  checkpoint.save(tmp_path / 'heads', {'params': params}, 'these')
  leaves = checkpoint.load(tmp_path / 'heads', 'these')
  other = jax.tree.map(lambda leaf: leaf + 1, params)
  got = checkpoint.restore({'params': other}, leaves)['params']
  np.testing.assert_array_equal(_flat(got), _flat(params))


@pytest.mark.slow
def test_compiles_once_for_each_device(
  caplog: pytest.LogCaptureFixture,
) -> None:
  training = Training(5, 5, 8, 0.05, 'val_loss', 0.0, 'regression', (3, 2))
  with jax.log_compiles(), caplog.at_level(logging.WARNING):
    trained = ensemble.train(*_data(), _members((9, 2, 21)), training)
    # Other rows and keys, but as many; validation sets are as large.
    others = [
      _member(i + 7, n)._replace(validation=m.validation)
      for i, (n, m) in enumerate(zip((9, 2, 21), _members((9, 2, 21))))
    ]
    ensemble.train(*_data(), others, training)
  assert len(trained.history) == 5
  compiled = [
    r
    for r in caplog.records
    if r.getMessage().startswith('Compiling jit(one_by_one) ')
  ]
  assert len(compiled) == len(cores.devices())


def test_mistakes() -> None:
  accuracy = Training(1, 1, 8, 0.1, 'val_accuracy', task='regression')
  with pytest.raises(ValueError, match="'val_accuracy'.*a regression"):
    ensemble.train(*_data(), _members((3,)), accuracy)
  with pytest.raises(ValueError, match="task 'ranking'"):
    ensemble.train(
      *_data(), _members((3,)), Training(1, 1, 8, 0.1, task='ranking')
    )


def _bone_age(fold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """512 VGG16 features of 300 hands, ages in months, and who is trained on."""
  shared = pathlib.Path(__file__).resolve().parents[2] / 'shared'
  name = f'boneage_features_red_whole_300_fold_{fold}.csv'
  path = shared / 'data' / 'mendez_features' / name
  if not path.is_file():
    pytest.skip('the shared features are not beside this checkout')
  with path.open(newline='') as file:
    rows = list(csv.DictReader(file))
  x = np.array([[float(r[str(i)]) for i in range(512)] for r in rows])
  y = np.array([float(r['labels']) for r in rows])
  return x, y, np.array([r['phase'] == 'train' for r in rows])


# In the other two folds scikit-learn's ridge and MLP do not beat it either.
@pytest.mark.slow
@pytest.mark.parametrize('fold', [0, 3])
def test_beats_the_training_mean_on_real_features(fold: int) -> None:
  x, y, train = _bone_age(fold)
  members = []
  for i in range(6):
    rows = np.random.default_rng(i).permutation(np.flatnonzero(train))
    keys = jax.random.split(jax.random.key(i))
    members.append(Member(rows[45:], rows[:45], *keys))
  training = Training(
    40, 10, 32, 1e-3, 'val_loss', task='regression', widths=(64, 32, 16)
  )
  x = jnp.asarray(x, jnp.float32)
  trained = ensemble.train(x, y, members, training)
  out = np.asarray(ensemble.predict(trained.params, x[~train]))
  assert np.isfinite(out).all()
  target = y[~train]

  def score(predicted: np.ndarray) -> float:
    error = np.sqrt(np.mean((predicted - target) ** 2))
    return 1 - error / np.ptp(target)

  assert np.mean([score(o) for o in out]) > score(y[train].mean())
