"""Heads of the ensemble against Keras, from the same start and order."""

from collections.abc import Iterator
import os

import jax
import numpy as np
import pytest

from heterojax.heads import ensemble
from heterojax.heads.ensemble import Member
from heterojax.heads.ensemble import Training
from heterojax.heads.order import batch_order

os.environ.setdefault('KERAS_BACKEND', 'jax')
keras = pytest.importorskip('keras')

# The last batch of an epoch holds five rows.
_N, _DIM, _V, _BATCH = 61, 12, 50, 8


def _data() -> tuple[np.ndarray, np.ndarray]:
  """Rows to train on, and then those to validate on."""
  rng = np.random.default_rng(3)
  x = rng.normal(size=(_N + _V, _DIM)).astype(np.float32)
  noise = rng.normal(size=len(x)) * 1.5
  y = (x @ rng.normal(size=_DIM) + noise > 0).astype(np.float32)
  return x, y


def _member() -> Member:
  rows = np.random.default_rng(4).permutation(_N)
  return Member(rows, _N + np.arange(_V), jax.random.key(5), jax.random.key(3))


def _order(member: Member, epoch: int) -> np.ndarray:
  return member.rows[np.asarray(batch_order(member.order_key, epoch, _N, _N))]


def _model(
  member: Member, learning_rate: float, l2: float = 0.0
) -> 'keras.Model':
  penalty = keras.regularizers.L2(l2) if l2 else None
  model = keras.Sequential([
    keras.Input((_DIM,)),
    keras.layers.Dense(1, activation='sigmoid', kernel_regularizer=penalty),
  ])
  kernel = ensemble.initial_params([member], _DIM).kernel[0]
  # The bias is that of the layer: both start from zero.
  model.set_weights([np.asarray(kernel)[:, None], model.get_weights()[1]])
  model.compile(
    keras.optimizers.Adam(learning_rate),
    'binary_crossentropy',
    metrics=['accuracy'],
  )
  return model


def _train(member: Member, training: Training) -> ensemble.Ensemble:
  # A larger head beside it: the list of the first one is padded.
  # It validates on other rows, which concern it alone.
  other = Member(
    np.arange(_N).repeat(2),
    _N + np.arange(5, 20),
    jax.random.key(7),
    jax.random.key(8),
  )
  return ensemble.train(*_data(), [member, other], training)


@pytest.mark.parametrize('l2', [0.0, 0.02])
@pytest.mark.parametrize('learning_rate', [1e-3, 1e-1])
def test_follows_fit(learning_rate: float, l2: float) -> None:
  x, y = _data()
  member = _member()
  validation = x[member.validation], y[member.validation]
  model = _model(member, learning_rate, l2)
  start = model.get_weights()[0]
  accuracy, loss = [], []
  for epoch in range(3):
    order = _order(member, epoch)
    history = model.fit(
      x[order],
      y[order],
      batch_size=_BATCH,
      epochs=1,
      shuffle=False,
      validation_data=validation,
      verbose=0,
    ).history
    accuracy += history['val_accuracy']
    loss += history['val_loss']
  trained = _train(
    member, Training(3, 9, _BATCH, learning_rate, 'val_accuracy', l2)
  )
  # One image more or less would be 0.02.
  np.testing.assert_allclose(trained.history[:, 0], accuracy, rtol=0, atol=1e-6)
  trained = _train(
    member, Training(3, 9, _BATCH, learning_rate, 'val_loss', l2)
  )
  np.testing.assert_allclose(-trained.history[:, 0], loss, rtol=1e-5)
  # The loss falls, so the best weights are the last ones.
  assert trained.best_epoch[0] == 2
  kernel, bias = model.get_weights()
  assert np.abs(kernel - start).max() > 10 * learning_rate
  np.testing.assert_allclose(
    trained.params.kernel[0], kernel[:, 0], rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(
    trained.params.bias[0], bias[0], rtol=1e-4, atol=1e-6
  )


def _batches(
  member: Member, epochs: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  x, y = _data()
  for epoch in range(epochs):
    order = _order(member, epoch)
    for rows in np.split(order, range(_BATCH, _N, _BATCH)):
      yield x[rows], y[rows][:, None]


@pytest.mark.parametrize('patience', [0, 1, 3, 12])
def test_stops_and_restores_as_keras(patience: int) -> None:
  member, epochs, learning_rate = _member(), 12, 2e-2
  model = _model(member, learning_rate)
  stopping = keras.callbacks.EarlyStopping(
    'val_accuracy', patience=patience, restore_best_weights=True
  )
  x, y = _data()
  history = model.fit(
    _batches(member, epochs),
    steps_per_epoch=-(-_N // _BATCH),
    shuffle=False,
    epochs=epochs,
    validation_data=(x[member.validation], y[member.validation]),
    callbacks=[stopping],
    verbose=0,
  ).history['val_accuracy']
  trained = _train(member, Training(epochs, patience, _BATCH, learning_rate))
  assert trained.epochs[0] == len(history)
  assert trained.best_epoch[0] == stopping.best_epoch
  assert trained.best[0] == pytest.approx(float(stopping.best), abs=1e-6)
  np.testing.assert_allclose(
    trained.history[: len(history), 0], history, rtol=0, atol=1e-6
  )
  assert np.isnan(trained.history[len(history) :, 0]).all()
  kernel, bias = model.get_weights()
  np.testing.assert_allclose(
    trained.params.kernel[0], kernel[:, 0], rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(
    trained.params.bias[0], bias[0], rtol=1e-4, atol=1e-6
  )
  # It is no trivial run: it ends early or the best weights are not the last.
  assert len(history) < epochs or stopping.best_epoch < epochs - 1
  assert len(set(history)) > 1


def _regression() -> tuple[np.ndarray, np.ndarray]:
  """Features of different sizes, and ages in months."""
  x, _ = _data()
  noise = np.random.default_rng(8).normal(size=len(x))
  y = 120 + 40 * np.sin(x[:, 0]) + 20 * x[:, 1] * x[:, 2] + 5 * noise
  return x * np.geomspace(1e-3, 10, _DIM, dtype=np.float32), y


@pytest.mark.parametrize(
  'widths, patience, l2',
  [((16, 8, 4), 2, 0.0), ((16, 8, 4), 30, 0.01), ((), 2, 0.0)],
)
def test_regression_follows_keras(
  widths: tuple[int, ...], patience: int, l2: float
) -> None:
  epochs, member = 12, _member()
  x, y = _regression()
  training = Training(
    epochs, patience, _BATCH, 1e-2, 'val_loss', l2, 'regression', widths
  )
  other = _member()._replace(rows=np.arange(_N).repeat(2))
  trained = ensemble.train(x, y, [member, other], training)
  own, t = x[member.rows], y[member.rows]
  std = own.std(axis=0)
  std = np.maximum(std, 0.3 * np.sqrt(np.mean(std**2)))
  z = (x - own.mean(axis=0)) / std
  t = ((y - t.mean()) / t.std()).astype(np.float32)
  start = ensemble.initial_params([member], _DIM, 'regression', widths)
  penalty = keras.regularizers.L2(l2) if l2 else None
  model = keras.Sequential(
    [keras.Input((_DIM,))]
    + [
      keras.layers.Dense(
        width, activation=activation, kernel_regularizer=penalty
      )
      for width, activation in [
        *((width, 'relu') for width in widths),
        (1, 'linear'),
      ]
    ]
  )
  model.set_weights([np.asarray(w[0]) for w in jax.tree.leaves(start.layers)])
  model.compile(keras.optimizers.Adam(1e-2), 'mse')
  stopping = keras.callbacks.EarlyStopping(
    'val_loss', patience=patience, restore_best_weights=True
  )

  def batches() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for epoch in range(epochs):
      order = _order(member, epoch)
      for rows in np.split(order, range(_BATCH, _N, _BATCH)):
        yield z[rows], t[rows][:, None]

  history = model.fit(
    batches(),
    steps_per_epoch=-(-_N // _BATCH),
    shuffle=False,
    epochs=epochs,
    validation_data=(z[member.validation], t[member.validation]),
    callbacks=[stopping],
    verbose=0,
  ).history['val_loss']
  assert trained.epochs[0] == len(history)
  assert trained.best_epoch[0] == stopping.best_epoch
  np.testing.assert_allclose(
    -trained.history[: len(history), 0], history, rtol=1e-4
  )
  for got, want in zip(
    jax.tree.leaves(trained.params.layers), model.get_weights(), strict=True
  ):
    np.testing.assert_allclose(got[0], want, rtol=1e-4, atol=1e-4)
  predicted = model.predict(z, verbose=0)[:, 0] * y[member.rows].std()
  np.testing.assert_allclose(
    ensemble.predict(trained.params, x)[0],
    predicted + y[member.rows].mean(),
    rtol=1e-4,
  )
  assert np.ptp(predicted) > 20
