"""Fine-tuning: both models learn, and a finished job is never trained again.

On a network of two convolutions and made-up pictures of 16 pixels, with one
job of the real EfficientNet-Lite0 at the end.
"""

from collections.abc import Callable
import dataclasses
import os
import pathlib
import signal
from typing import Any

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image
import pytest
from scipy import special

from heterojax import backbones
from heterojax import features
from heterojax import finetuning
from heterojax.backbones import layers
from heterojax.datasets import augmentation
from heterojax.datasets import images
from heterojax.datasets import sources
from heterojax.errors import Interrupted
from heterojax.errors import UserError
from heterojax.finetuning import Job
from heterojax.finetuning import Tuning
from heterojax.finetuning import jobs
from heterojax.finetuning import steps
from heterojax.heads import head
from heterojax.heads.order import batch_order
from heterojax.run import checkpoint
from heterojax.run import interruption

pytestmark = pytest.mark.trains

# Another momentum than that of fine-tuning, which counts.
_NORM = layers.Norm(epsilon=1e-3, momentum=0.5, unbiased=False)
_HOW = features.Extraction('avg', 16, 'keras', batch_size=7, workers=2)
_TUNING = Tuning(
  task='classification',
  widths=(),
  epochs=6,
  patience=6,
  batch_size=4,
  learning_rate=1e-2,
  weight_decay=1e-2,
  monitor='val_loss',
)
_N = 40


class _Network(nnx.Module):
  """A matrix product per pixel and a convolution, each with batch norm."""

  def __init__(self):
    self.first = layers.Conv(3, 4, norm=_NORM)
    self.second = layers.Conv(4, 6, kernel_size=3, stride=2, norm=_NORM)

  def feature_map(self, x: jax.Array) -> jax.Array:
    return jax.nn.relu(self.second(jax.nn.relu(self.first(x))))

  def pooled(self, x: jax.Array) -> jax.Array:
    return jnp.mean(self.feature_map(x), axis=(1, 2))


@pytest.fixture(scope='module')
def backbone() -> backbones.Backbone:
  graphdef, network = nnx.split(_Network())
  rng = np.random.default_rng(0)

  def filled(path: Any, leaf: jax.Array) -> jax.Array:
    if 'kernel' not in jax.tree_util.keystr(path):
      return leaf
    return jnp.asarray(rng.normal(0, 0.5, leaf.shape), jnp.float32)

  return backbones.Backbone(
    name='two convolutions',
    source='none',
    weights='random',
    weights_sha256=None,
    has_top=False,
    params={
      'network': jax.tree_util.tree_map_with_path(filled, network),
      'mean': jnp.full((1, 1, 1, 3), 127.0),
      'std': jnp.full((1, 1, 1, 3), 64.0),
    },
    graphdef=graphdef,
  )


@dataclasses.dataclass
class _Counting:
  """Files that remember what was read, and can do something then."""

  files: sources.Files
  paths: list[str] = dataclasses.field(default_factory=list)
  on_read: Callable[[int], None] = lambda count: None

  @property
  def name(self) -> str:
    return self.files.name

  def read(self, path: str) -> bytes:
    self.paths.append(path)
    self.on_read(len(self.paths))
    return self.files.read(path)


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
  """Noise: finer stripes in odd pictures, brightness rises with the number."""
  folder = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(1)
  for i in range(_N):
    period = 2 if i % 2 else 8
    stripes = 40.0 * (np.arange(16) // (period // 2) % 2)
    pixels = rng.uniform(0, 60, (16, 16, 3)) + stripes[:, None] + 3 * i
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f'{i}.png')
  return folder


@pytest.fixture
def source(root: pathlib.Path) -> _Counting:
  return _Counting(sources.Files(root))


_PICTURES = tuple(
  features.Picture(f'{i}.png', augmentation.IDENTITY) for i in range(_N)
)
_CONTENTS = tuple(map(str, range(_N)))
_Y = np.arange(_N) % 2


def _job(seed: int = 0, train: int = 22) -> Job:
  rows = np.random.default_rng(seed).permutation(_N)
  return Job(
    train=rows[:train],
    validation=rows[22:30],
    test=rows[30:],
    init_key=jax.random.key(seed),
    order_key=jax.random.key(seed + 1),
  )


def _tune(
  backbone: backbones.Backbone,
  source: _Counting,
  folder: pathlib.Path,
  job: Job | None = None,
  tuning: Tuning = _TUNING,
  *,
  y: np.ndarray = _Y,
  how: features.Extraction = _HOW,
  **options: Any,
) -> finetuning.Tuned:
  options = {'contents': _CONTENTS, **options}
  tuned, _ = finetuning.fine_tune(
    backbone,
    source,
    _PICTURES,
    y,
    job or _job(),
    tuning,
    how,
    folder,
    **options,
  )
  return tuned


def _weights(folder: pathlib.Path) -> dict[str, np.ndarray]:
  """Of a finished job, by their names."""
  leaves = checkpoint.load(folder)
  start = 'weights.'
  return {k[len(start) :]: v for k, v in leaves.items() if k.startswith(start)}


def _assert_equal(got: finetuning.Tuned, want: finetuning.Tuned) -> None:
  for name, a, b in zip(want._fields, got, want):
    np.testing.assert_array_equal(a, b, err_msg=name, strict=True)


def _pixels(root: pathlib.Path, rows: np.ndarray) -> np.ndarray:
  return np.stack([
    np.asarray(Image.open(root / f'{r}.png'), np.float64) for r in rows
  ])


@pytest.mark.slow
def test_both_models_learn(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  tuning = dataclasses.replace(_TUNING, epochs=15, patience=15)
  got = _tune(backbone, source, tmp_path, tuning=tuning)
  assert got.losses.shape == got.history.shape == (15,)
  # Two steps an epoch are noisy; over seeds it was at most 0.5.
  assert np.mean(got.losses[-3:]) < 0.6 * got.losses[0]
  np.testing.assert_array_equal(got.rows, np.arange(_N))
  assert got.features.shape == (_N, 6)
  assert got.features.dtype == np.float32 and got.outputs.dtype == np.float64
  # The pictures that it never saw, too.
  right = (got.outputs > 0) == (_Y == 1)
  assert np.mean(right[_job().train]) >= 0.95
  assert np.mean(right[_job().test]) >= 0.9
  frozen = np.asarray(backbone.pooled(_pixels(source.files.root, got.rows)))
  assert np.abs(got.features - frozen).max() > 0.1 * np.abs(frozen).max()
  other = _tune(backbone, source, tmp_path / 'b', _job(2), tuning)
  assert np.abs(got.features - other.features).max() > 0.1
  # The backbone is as it was.
  again = np.asarray(backbone.pooled(_pixels(source.files.root, got.rows)))
  np.testing.assert_array_equal(frozen, again)


@pytest.mark.slow
def test_several_classes_are_learned(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  """Three classes: fine stripes, and dark and bright pictures without them."""
  y = np.where(np.arange(_N) % 2, 0, 1 + (np.arange(_N) > _N // 2))
  job = _job()
  for monitor in ('val_loss', 'val_accuracy'):
    tuning = dataclasses.replace(
      _TUNING, task='multiclass', widths=(3,), monitor=monitor
    )
    tuning = dataclasses.replace(tuning, epochs=25, patience=25)
    got = _tune(backbone, source, tmp_path / monitor, tuning=tuning, y=y)
    assert got.outputs.shape == (_N, 3)
    out, own = got.outputs[job.validation], y[job.validation]
    p = special.softmax(out, axis=1)
    want = {
      'val_loss': np.mean(np.log(p[np.arange(len(own)), own])),
      'val_accuracy': np.mean(np.argmax(p, axis=1) == own),
    }
    # The best value is that of what is returned.
    np.testing.assert_allclose(got.history.max(), want[monitor], rtol=1e-6)
    assert np.mean(got.losses[-3:]) < 0.6 * got.losses[0]
    assert (
      np.mean(np.argmax(got.outputs, axis=1)[job.train] == y[job.train]) > 0.9
    )
  assert _weights(tmp_path / 'val_loss')['top.kernel'].shape == (3, 6)


@pytest.mark.slow
def test_a_regression_learns_in_the_targets_units(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  y = 100.0 + 4 * np.arange(_N)
  tuning = dataclasses.replace(
    _TUNING, task='regression', widths=(16, 8, 4), epochs=25, patience=25
  )
  got = _tune(backbone, source, tmp_path, tuning=tuning, y=y)
  job = _job()
  error = got.outputs - y
  assert np.mean(error[job.test] ** 2) < 0.2 * np.var(y[job.test])
  # The best value is the standardised error of what is returned.
  scale = np.std(y[job.train])
  want = -np.mean((error[job.validation] / scale) ** 2)
  np.testing.assert_allclose(got.history.max(), want, rtol=1e-4)
  assert got.losses[0] > 0.5  # Of a target with variance one.


@pytest.mark.slow
def test_one_step_by_hand(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  """Adam's first step is the learning rate, and kernels alone decay."""
  tuning = dataclasses.replace(
    _TUNING, epochs=1, learning_rate=1e-3, weight_decay=20.0
  )
  _tune(backbone, source, tmp_path, _job(train=4), tuning)
  before = {
    '.'.join(map(str, path)): np.asarray(leaf[...])
    for path, leaf in nnx.to_flat_state(backbone.params['network'])
  }
  after = _weights(tmp_path)
  checked = 0
  for name, old in before.items():
    if name.endswith(('mean', 'var')):
      continue
    new = after[f'network.{name}']
    kept = old * (1 - 1e-3 * 20.0) if name.endswith('kernel') else old
    moved = np.abs(new - kept)
    # A weight whose gradient is far above epsilon moves by the whole rate.
    assert moved.max() <= 1e-3 * (1 + 1e-3)
    assert np.median(moved) > 0.9e-3, name
    checked += 1
  assert checked == 6


@pytest.mark.medium
def test_running_statistics_by_hand(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  """With a rate of zero they are a recursion over the full batches alone."""
  tuning = dataclasses.replace(
    _TUNING, epochs=2, learning_rate=0.0, monitor='val_accuracy'
  )
  job = _job(train=11)
  got = _tune(backbone, source, tmp_path, job, tuning)
  assert got.best_epoch == 0  # A tie: the first epoch is kept.
  kernel = np.asarray(backbone.params['network']['first']['kernel'][...])
  mean, var = np.zeros(4), np.ones(4)
  order = job.train[np.asarray(batch_order(job.order_key, 0, 11, 11))]
  for first in (0, 4):
    pixels = _pixels(source.files.root, order[first : first + 4])
    out = ((pixels - 127) / 64).reshape(-1, 3) @ kernel[0, 0]
    mean = 0.9 * mean + 0.1 * out.mean(axis=0)
    var = 0.9 * var + 0.1 * out.var(axis=0)
  after = _weights(tmp_path)
  for name, want in (('first.norm.mean', mean), ('first.norm.var', var)):
    stored = after[f'network.{name}']
    np.testing.assert_allclose(stored, want, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_an_incomplete_batch_is_left_out(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  job = _job(train=11)
  tuning = dataclasses.replace(_TUNING, epochs=6, learning_rate=1e-3)
  _tune(backbone, source, tmp_path, job, tuning)
  train = {f'{r}.png' for r in job.train}
  seen = source.paths[: -len(set(np.concatenate(job[:3])))]
  assert sum(p in train for p in seen) == 6 * 8
  assert train <= set(seen)  # But no image for good.
  source.paths.clear()
  few = _tune(backbone, source, tmp_path / 'few', _job(train=3), tuning)
  assert sum(p in train for p in source.paths[:-21]) == 6 * 3
  assert np.all(np.isfinite(few.losses))


@pytest.mark.medium
@pytest.mark.parametrize('monitor', ['val_loss', 'val_accuracy'])
@pytest.mark.parametrize('patience', [0, 1, 3])
def test_early_stopping_is_that_of_a_longer_run(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  source: _Counting,
  monitor: str,
  patience: int,
) -> None:
  tuning = dataclasses.replace(
    _TUNING, epochs=12, patience=99, learning_rate=5e-2, monitor=monitor
  )
  # Labels without a meaning, and large steps: values go up and down.
  y = np.random.default_rng(3).integers(0, 2, _N)

  def run(name: str, tuning: Tuning) -> finetuning.Tuned:
    return _tune(backbone, source, tmp_path / name, tuning=tuning, y=y)

  long = run('long', tuning)
  assert long.epochs == 12
  assert np.any(np.diff(long.history) < 0)
  best, wait, want = -np.inf, 0, (12, 0)
  for epoch, value in enumerate(long.history):
    wait = 0 if value > best else wait + 1
    if value > best:
      best, want = value, (want[0], epoch)
    elif wait >= patience and epoch:
      want = (epoch + 1, want[1])
      break
  stopping = dataclasses.replace(tuning, patience=patience)
  got = run('short', stopping)
  assert (got.epochs, got.best_epoch) == want
  np.testing.assert_array_equal(got.history, long.history[: want[0]])
  # Kept are the weights of the best epoch: those of a run that ends there.
  ending = dataclasses.replace(tuning, epochs=want[1] + 1)
  last = run('ending', ending)
  assert last.best_epoch == want[1]
  np.testing.assert_array_equal(got.features, last.features)
  np.testing.assert_array_equal(got.outputs, last.outputs)


def test_the_monitored_value_by_hand(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  job = _job()
  y = _Y[job.validation]
  tuned = {}
  for monitor in ('val_loss', 'val_accuracy'):
    tuning = dataclasses.replace(_TUNING, epochs=1, monitor=monitor)
    tuned[monitor] = _tune(backbone, source, tmp_path / monitor, tuning=tuning)
  out = tuned['val_loss'].outputs[job.validation]
  p = 1 / (1 + np.exp(-out))
  want = np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
  np.testing.assert_allclose(tuned['val_loss'].history, [want], rtol=1e-9)
  want = np.mean((p > 0.5) == y)
  np.testing.assert_array_equal(tuned['val_accuracy'].history, [want])


@pytest.mark.slow
def test_all_jobs_share_one_compiled_program(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  _tune(backbone, source, tmp_path / 'a', _job(0))
  counts = steps.step._cache_size(), steps.apply._cache_size()  # pylint: disable=protected-access
  assert min(counts) >= 1
  for seed, train in ((1, 22), (2, 17), (3, 5)):
    _tune(backbone, source, tmp_path / str(seed), _job(seed, train))
  assert counts == (
    steps.step._cache_size(),
    steps.apply._cache_size(),  # pylint: disable=protected-access
  )


def test_workers_change_nothing(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  many = dataclasses.replace(_HOW, workers=8, batch_size=3)
  a = _tune(backbone, source, tmp_path / 'a')
  b = _tune(backbone, source, tmp_path / 'b', how=many)
  _assert_equal(a, b)


@pytest.mark.medium
def test_the_whole_map_can_be_the_feature(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  how = dataclasses.replace(_HOW, feature='flatten')
  got = _tune(backbone, source, tmp_path / 'flatten', how=how)
  pooled = _tune(backbone, source, tmp_path / 'avg')
  assert got.features.shape == (_N, 8 * 8 * 6)
  np.testing.assert_allclose(
    got.features.reshape(_N, 64, 6).mean(axis=1),
    pooled.features,
    rtol=1e-4,
    atol=1e-5,
  )
  np.testing.assert_allclose(got.outputs, pooled.outputs, rtol=1e-4)


@pytest.mark.medium
def test_the_checkpoint_gives_the_features(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  got = _tune(backbone, source, tmp_path)
  stored = _weights(tmp_path)
  leaves = []
  for path, leaf in nnx.to_flat_state(backbone.params['network']):
    name = '.'.join(map(str, path))
    value = jnp.asarray(stored[f'network.{name}'])
    leaves.append((path, leaf.replace(value)))
  params = backbone.params | {'network': nnx.from_flat_state(leaves)}
  pixels = jnp.asarray(_pixels(source.files.root, got.rows), jnp.float32)
  pooled = backbones.apply(backbone.graphdef, 'pooled', params, pixels)
  np.testing.assert_allclose(pooled, got.features, rtol=1e-4, atol=1e-5)
  logits = got.features @ stored['top.kernel'] + stored['top.bias']
  np.testing.assert_allclose(logits, got.outputs, rtol=1e-4, atol=1e-5)


def _no_reads(count: int) -> None:
  raise AssertionError('an image was read')


def test_a_finished_job_is_read_back(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  want = _tune(backbone, source, tmp_path)
  source.on_read = _no_reads
  _assert_equal(_tune(backbone, source, tmp_path), want)


@pytest.mark.medium
@pytest.mark.parametrize('damage', ['no index', 'half an index', 'bit'])
def test_a_damaged_job_is_trained_anew(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  source: _Counting,
  damage: str,
) -> None:
  folder = tmp_path / 'job'
  want = _tune(backbone, source, folder)
  index = folder / 'digests.json'
  match damage:
    case 'no index':
      index.unlink()
    case 'half an index':
      index.write_text(index.read_text()[:-40])
    case 'bit':
      index.write_text(index.read_text().replace('a', 'b', 1))
  source.paths.clear()
  _assert_equal(_tune(backbone, source, folder), want)
  assert source.paths
  source.on_read = _no_reads
  _assert_equal(_tune(backbone, source, folder), want)


@pytest.mark.medium
@pytest.mark.parametrize(
  'other',
  [
    {'tuning': dataclasses.replace(_TUNING, weight_decay=0.5)},
    {'how': dataclasses.replace(_HOW, image_size=15)},
    {'how': dataclasses.replace(_HOW, feature='flatten')},
    {'job': lambda: _job(5)},
    {'job': lambda: _job()._replace(init_key=jax.random.key(9))},
    {'job': lambda: _job()._replace(order_key=jax.random.key(9))},
    {'y': 1 - _Y},
    {'contents': ('other', *_CONTENTS[1:])},
  ],
  ids=[
    'tuning',
    'size',
    'feature',
    'rows',
    'init',
    'order',
    'labels',
    'contents',
  ],
)
def test_another_job_is_not_taken_for_this_one(
  tmp_path: pathlib.Path,
  backbone: backbones.Backbone,
  source: _Counting,
  other: dict[str, Any],
) -> None:
  one = dataclasses.replace(_TUNING, epochs=1)
  _tune(backbone, source, tmp_path, tuning=one)
  source.paths.clear()
  if 'job' in other:  # No key is made before JAX is needed.
    other = {'job': other['job']()}
  _tune(backbone, source, tmp_path, **{'tuning': one, **other})
  assert source.paths


def _changed(how: Any) -> dict[str, Any]:
  """Each field of a record, to the record with another value of it."""
  return {
    name: dataclasses.replace(
      how, **{name: f'{value}x' if isinstance(value, str) else (value, 1)}
    )
    for name, value in dataclasses.asdict(how).items()
  }


def test_a_job_is_told_by_every_field_that_its_numbers_hang_on(
  backbone: backbones.Backbone,
) -> None:
  def about(tuning: Tuning = _TUNING, how: features.Extraction = _HOW) -> str:
    return jobs.about(backbone, _PICTURES, _Y, _job(), tuning, how, _CONTENTS)

  alike = {n for n, how in _changed(_HOW).items() if about(how=how) == about()}
  assert alike == {'batch_size', 'workers'}
  for name, tuning in _changed(_TUNING).items():
    assert about(tuning) != about(), name


@pytest.mark.medium
def test_an_interrupted_job_goes_on_and_ends_the_same(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  want = _tune(backbone, source, tmp_path / 'whole')

  def stop(count: int) -> None:
    if count == 70:  # In the third of six epochs.
      os.kill(os.getpid(), signal.SIGINT)

  source.paths.clear()
  source.on_read = stop
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(checkpoint, '_MOST_SHARE', np.inf)  # Every epoch is kept.
    with pytest.raises(Interrupted), interruption.handled():
      _tune(backbone, source, tmp_path / 'cut')
  first = len(source.paths)
  assert first < 120
  assert not (tmp_path / 'cut' / 'digests.json').exists()
  source.paths.clear()
  source.on_read = lambda count: None
  _assert_equal(_tune(backbone, source, tmp_path / 'cut'), want)
  # Two epochs of three batches and the validation images were not done again.
  whole = 6 * (20 + 8) + _N
  assert len(source.paths) == whole - 2 * (20 + 8)
  # And nothing tells the two folders apart.
  assert not (tmp_path / 'cut' / 'steps').exists()
  for name, leaf in checkpoint.load(tmp_path / 'whole').items():
    np.testing.assert_array_equal(checkpoint.load(tmp_path / 'cut')[name], leaf)


def test_mistakes_are_explained(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  def fails(match: str, job: Job | None = None, **changes: Any) -> None:
    tuning = dataclasses.replace(_TUNING, **changes)
    with pytest.raises(UserError, match=match):
      _tune(backbone, source, tmp_path, job or _job(), tuning)

  fails('at least 2 images, not of 1.*fine_tuning.batch_size', batch_size=1)
  fails('at least 2 images, not of 1', _job(train=1))
  nobody = _job()._replace(validation=np.zeros(0, int))
  fails('validation_share', nobody)
  fails('diverged.*fine_tuning.learning_rate', learning_rate=1e30)
  assert not (tmp_path / 'digests.json').exists()
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot be written.*same command'):
    _tune(
      backbone,
      source,
      tmp_path / 'file',
      _job(train=4),
      dataclasses.replace(_TUNING, epochs=1),
    )


def test_a_picture_that_vanished_is_named(
  tmp_path: pathlib.Path, backbone: backbones.Backbone, source: _Counting
) -> None:
  def vanish(count: int) -> None:
    if count > 50:
      raise images.UnreadableImage('gone')

  source.on_read = vanish
  with pytest.raises(UserError, match=r'\d+\.png of .* \(gone\): put it back'):
    _tune(backbone, source, tmp_path)


@pytest.mark.slow
def test_efficientnet_lite0(tmp_path: pathlib.Path, source: _Counting) -> None:
  """The real network: features of the job, not of the pretrained weights."""
  backbone = backbones.load('efficientnet_lite0', trainable=True)
  how = dataclasses.replace(_HOW, image_size=64)
  # Of four pictures whose last map is one pixel, batch normalisation turns
  # rounding into another training; these losses agree to 1e-4 on AVX2, AVX-512.
  tuning = dataclasses.replace(
    _TUNING, epochs=4, batch_size=11, learning_rate=1e-4
  )
  got = _tune(backbone, source, tmp_path, tuning=tuning, how=how)
  assert got.features.shape == (_N, 1280)
  assert got.losses[-1] < 0.6 * got.losses[0]
  pixels = np.stack([
    images.resize(images.decode(source.read(f'{r}.png')), 64, 'keras')
    for r in range(_N)
  ])
  frozen = np.asarray(backbone.pooled(pixels))
  assert np.abs(got.features - frozen).max() > 0.1 * np.abs(frozen).max()


@pytest.mark.slow
@pytest.mark.parametrize('name', ['resnet18', 'vgg16'])
def test_the_papers_networks_take_a_step(
  tmp_path: pathlib.Path, source: _Counting, name: str
) -> None:
  """One step of Adam: every layer moves, by the learning rate and no more."""
  network = backbones.load(name, None, trainable=True, top=False)
  job = _job(train=4)._replace(validation=np.array([5]), test=np.array([6]))
  how = dataclasses.replace(_HOW, image_size=32)
  tuning = dataclasses.replace(
    _TUNING, epochs=1, learning_rate=1e-4, weight_decay=0.0
  )
  got = _tune(network, source, tmp_path, job, tuning, how=how)
  assert got.features.shape == (6, 512) and np.isfinite(got.outputs).all()
  pixels = np.stack([
    images.resize(images.decode(source.read(f'{r}.png')), 32, 'keras')
    for r in job.train
  ])
  pooled, _ = backbones.forward_training(
    network.graphdef, network.params, jnp.asarray(pixels)
  )
  top = head.init(job.init_key, 512)
  logits = np.asarray(pooled @ top.kernel + top.bias, np.float64)
  loss = np.mean(np.logaddexp(0, logits) - _Y[job.train] * logits)
  assert got.losses[0] == pytest.approx(loss, rel=1e-4)
  stored = _weights(tmp_path)
  before = nnx.to_flat_state(network.params['network'])
  assert len(before) == len([k for k in stored if k.startswith('network.')])
  for path, leaf in before:
    key = '.'.join(map(str, path))
    moved = np.abs(stored[f'network.{key}'] - np.asarray(leaf[...]))
    if path[-1] == 'kernel':
      assert 0.5e-4 < np.max(moved) < 1.1e-4, key
    elif path[-1] in ('mean', 'var'):
      assert np.max(moved) > 0, key
