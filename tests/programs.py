"""The programs of the library, each with the shapes of a study.

Nothing of that size is allocated: shapes are all that tracing, lowering and
compiling ahead of time need. `test_programs` lowers all of them, and shows that
there are no others.
"""

from collections.abc import Iterator
import contextlib
import functools
import importlib
from typing import Any, NamedTuple

from flax import nnx
import jax
import jax.numpy as jnp
import numpy as np

from heterojax import backbones
from heterojax import cluster
from heterojax import features
from heterojax.backbones import half_precision
from heterojax.backbones import networks
from heterojax.cluster import blocks
from heterojax.compute import cores
from heterojax.compute import platform
from heterojax.finetuning import steps
from heterojax.heads import ensemble
from heterojax.heads import epochs
from heterojax.heads.kinds import KINDS

# Of a study of Wang's fundus photographs: pictures, their features (the mean
# and the whole map), components, clusters, test images, heads, images of a
# batch and their side.
_N, _D, _WHOLE, _Q, _K, _TEST, _H, _B = 1428, 1280, 62720, 200, 4, 208, 25, 32
_SIDE = 224
_TOL, _MOST, _FUZZIFIER = 1e-4, 300, 2.0


class Program(NamedTuple):
  """A program of the library.

  Attributes:
    name: of the function in its module, as in 'cluster.pca._finish'.
    args: arrays or their shapes, and what is static.
    kind: what tells it from others of the same function.
    static: by name, of what `cores` compiles.
    donate: see `cores.compiled`.
    wide: whether it computes in float64.
    on_cpu: whether the library has it made for CPU alone.
    of: what was given to `cores` or `forward`, if not the function.
  """

  name: str
  args: tuple[Any, ...]
  kind: str = ''
  static: dict[str, Any] = {}
  donate: tuple[int, ...] = ()
  wide: bool = False
  on_cpu: bool = False
  of: Any = None

  @property
  def title(self) -> str:
    return f'{self.name} {self.kind}'.strip()

  @property
  def function(self) -> Any:
    """Jitted."""
    module, _, name = self.name.rpartition('.')
    found = self.of
    if found is None:
      found = getattr(importlib.import_module(f'heterojax.{module}'), name)
    if hasattr(found, 'trace'):
      return found
    return cores.jitted(found, self.donate, self.static)

  @contextlib.contextmanager
  def made_for(self, name: platform.Platform) -> Iterator[bool]:
    """As the library makes it on a machine; whether for that platform."""
    mode = platform.float64() if self.wide else contextlib.nullcontext()
    with platform.use(name), mode:
      yield platform.of_programs() == name and not self.on_cpu


def every() -> list[Program]:
  """All programs."""
  return [
    *_reductions(),
    *_clusterings(),
    *_indices(),
    *_by_cores(),
    *_heads(),
    *_optima(),
    *_networks(),
    *_training(),
    Program('compute.ceiling._by_cores', (shape(512, 512),) * 2, of=jnp.matmul),
    Program(
      'compute.ceiling._by_devices', (shape(8, 4096, 4096),) * 2, of=jnp.matmul
    ),
    Program('compute.arithmetic.fused', (shape(8, 32, 32), 0.5)),
  ]


def shape(*axes: int, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(axes, dtype)


_whole = functools.partial(shape, dtype=np.int32)
_double = functools.partial(shape, dtype=np.float64)
_data_of_keys = functools.partial(shape, dtype=np.uint32)


def _keys(*axes: int) -> jax.ShapeDtypeStruct:
  return shape(*axes, dtype=jax.random.key(0).dtype)


def _reductions() -> Iterator[Program]:
  for kind, rows, wide in (
    ('of rows', (_N, _WHOLE), True),
    ('of columns', (100_000, _D), False),
  ):
    args = shape(*rows), _double(rows[1]), wide
    yield Program('cluster.moments._on_device', args, kind, wide=True)
  args = shape(_N, _WHOLE), _double(_WHOLE), _double(_N, _Q)
  yield Program('cluster.pca._back_project', args, wide=True)
  yield Program('cluster.pca._orthonormal', (shape(_Q, _WHOLE),), wide=True)
  args = _double(_D), _double(_Q, _D), _double(_Q), _double(), _N, np.float32
  yield Program('cluster.pca._finish', args, wide=True)
  args = shape(_N, _D), shape(_D), shape(_Q, _D)
  yield Program('cluster.pca._transform', args)


def _clusterings() -> Iterator[Program]:
  z, centers = shape(_N, _Q), shape(_K, _Q)
  weights, key, keys = shape(_N), _keys(), _keys(10)
  for kind, x, k in (
    ('4 clusters', z, _K),
    ('64 clusters', z, 64),
    ('by products', shape(300, _WHOLE), _K),
  ):
    args = x, None, keys, _TOL, k, _MOST
    yield Program('cluster.kmeans._fit', args, kind)
  args = z, weights, centers, _TOL, _MOST
  yield Program('cluster.kmeans._fit_from', args)
  yield Program('cluster.kmeans._start', (z, key, _K))
  yield Program('cluster.kmeans._predict', (z, centers))
  args = z, weights, keys, _TOL, _K, _FUZZIFIER, _MOST
  yield Program('cluster.fuzzy._fit', args)
  args = z, weights, shape(_K, _N), _TOL, _FUZZIFIER, _MOST
  yield Program('cluster.fuzzy._fit_from', args)
  yield Program('cluster.fuzzy._memberships_to', (z, centers, _FUZZIFIER))
  few = shape(_N, 10), weights
  args = *few, keys, _TOL, 1e-6, _K, 'full', _MOST
  yield Program('cluster.mixture._fit', args)
  init = shape(_K), shape(_K, 10), shape(_K, 10, 10)
  args = *few, init, _TOL, 1e-6, 'full', _MOST
  yield Program('cluster.mixture._fit_from', args)
  for method in ('kmeans', 'fuzzy', 'gmm'):
    for numbers, lanes in (('float32', 8), ('float64', 8)):
      args = (
        shape(lanes, _N, 10, dtype=numbers),
        shape(lanes, _N, dtype=numbers),
        _data_of_keys(lanes, 2),
        _whole(lanes),
        cluster.Algorithm(method, _K),
        'threefry2x32',
      )
      yield Program(
        'cluster.partitions._trainings',
        args,
        f'{method} {numbers}',
        wide=numbers == 'float64',
      )


def _indices() -> Iterator[Program]:
  """What is said of clusters."""
  z, labelings = _double(_N, 10), _whole(9, _N)
  yield Program('cluster.validity._means', (z, labelings, _K), wide=True)
  args = z, labelings, _double(9, _K, 10), _double()
  yield Program('cluster.validity._of_means', args, wide=True)
  args = z, labelings, _K, 100
  yield Program('cluster.validity._silhouettes', args, wide=True)
  args = _double(200, 10), z, labelings, _K
  yield Program('cluster.validity._sums_of_block', args, wide=True)
  args = z, labelings, z, labelings, _K, 100
  yield Program('cluster.distances._closest', args, wide=True)
  args = shape(1024, _D), shape(1024, _D), shape(_D)
  yield Program('cluster.distances.cosine_distances', args)


def _by_cores() -> Iterator[Program]:
  """K-means of many rows, which only cores divide."""
  z, mean, centers, labels = shape(_N, _Q), shape(_Q), shape(_K, _Q), _whole(_N)
  totals = centers, _whole(_K)
  for name, args in (
    ('_mean', (z,)),
    ('_threshold', (z, mean, _TOL)),
    ('_relocated', (z, mean, labels, centers, *totals)),
    ('_moved', (*totals, centers)),
  ):
    yield Program(f'cluster.by_cores.{name}', args, on_cpu=True)
  args = z, mean, _whole(), centers, labels
  sizes = {'sizes': blocks.Sizes(512, 1, 3)}
  for name, kind, static in (
    ('nearest', '', {}),
    ('inertia', 'of given labels', {'known': True}),
    ('inertia', 'of new labels', {'known': False}),
  ):
    name, static = f'cluster.blocks.{name}', sizes | static
    yield Program(name, args, kind, static=static, on_cpu=True)


def _heads() -> Iterator[Program]:
  """Heads that are trained in steps."""
  for task, h, d, widths in (
    ('classification', _H, _D, ()),
    ('classification', _H, _WHOLE, ()),
    ('classification', 4000, _D, ()),
    ('multiclass', _H, _D, (8,)),
    ('regression', _H, _D, (256, 128, 64)),
  ):
    kind = f'{task} {h} x {d}'
    training = epochs.Training(
      10, 3, 8, 1e-3, monitor='val_loss', task=task, widths=widths
    )
    initial = _data_of_keys(h, 2), d, task, widths
    yield Program('heads.ensemble._initial', initial, kind)
    params = jax.eval_shape(
      functools.partial(ensemble._initial, dim=d, task=task, widths=widths),
      initial[0],
    )
    x, rows = shape(_TEST, d), 8 * -(-_N // 8)
    data = epochs.Data(shape(_N, d), shape(_N), x, shape(_TEST))
    heads = epochs.Heads(
      _whole(h, rows), _whole(h), _data_of_keys(h, 2), shape(h, _TEST)
    )
    begun = params, data, heads, training
    yield Program('heads.ensemble._start', begun, kind)
    state = jax.eval_shape(
      functools.partial(epochs.start, training=training), *begun[:3]
    )
    args, how = (state, data, heads, _whole()), {'training': training}
    # Three quarters of the heads have a quarter of the rows.
    batches = rows // 8
    segments = (0, batches // 4, h), (batches // 4, batches, h // 4)
    yield Program(
      'heads.epochs.together', args, kind, {**how, 'segments': segments}, (0,)
    )
    yield Program('heads.epochs.one_by_one', args, kind, how, (0,), on_cpu=True)
    yield Program('heads.epochs.outputs', (params, x), kind, {'task': task})
    yield Program(
      'heads.epochs.outputs_of_rows', (params, x), kind, {'task': task}
    )


def _optima() -> Iterator[Program]:
  """Logistic heads at their optimum."""
  b, m, p, c, d = 8, 352, 512, 5, 64
  own = _whole(b, m), _double(b, m), _double(b, m), _double(b, c), _double(c, 3)
  for name, args, static in (
    ('batches._dual', (_double(p, p), *own), {}),
    ('batches._primal', (shape(p, d), _double(d), *own), {}),
    (
      'labellings._optima',
      (_double(m, d), _double(m), _double(), _double(25, m)),
      {},
    ),
    (
      'multinomial._heads',
      (_double(p, d), _whole(p), _double(c), *own[:2]),
      {'classes': 3},
    ),
  ):
    yield Program(f'heads.{name}', args, static=static, wide=True)


def _networks() -> Iterator[Program]:
  """Features of images."""
  images = shape(_B, _SIDE, _SIDE, 3)
  for name in backbones.NAMES:
    graphdef, params = _built(name, trainable=False)
    for dtype in features.DTYPES:
      module, own, how = features, params, ('highest',)
      if dtype == 'bfloat16':
        narrow = functools.partial(_narrow, dtype)
        own = {**params, 'network': jax.tree.map(narrow, params['network'])}
        module, how = half_precision, ()
      for output in features.OUTPUT.values():
        yield Program(
          f'{module.__name__.removeprefix("heterojax.")}._applied',
          (own, images),
          f'{name} {dtype} {output}',
          of=module._applied(graphdef, output, *how),
        )
  graphdef, params = _built('resnet18', trainable=False)
  yield Program('backbones._jitted', (graphdef, 'pooled', params, images))


def _narrow(dtype: str, leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
  return shape(*leaf.shape, dtype=dtype)


def _training() -> Iterator[Program]:
  """Training of whole networks."""
  for name in backbones.NAMES:
    graphdef, params = _built(name, trainable=True)
    state = params.pop('network')
    weights, statistics = nnx.split_state(state, nnx.Param, ...)
    dim = 512 if name in ('resnet18', 'vgg16') else _D
    init = functools.partial(KINDS[_TASK].init, dim=dim, widths=())
    models = weights, jax.eval_shape(init, _keys())
    yield Program('finetuning.steps.start_optimizer', (models,), name)
    optimizer = jax.eval_shape(steps.start_optimizer, models)
    begun = steps.State(models, statistics, optimizer)
    images, fixed = shape(16, _SIDE, _SIDE, 3), (graphdef, _TASK)
    args = *fixed, begun, params, images, shape(16), 0.0, 0.0
    yield Program('finetuning.steps.step', args, name)
    args = *fixed, 'avg', (models, statistics), params, images
    yield Program('finetuning.steps.apply', args, name)


_TASK = 'classification'


def _built(name: str, *, trainable: bool) -> tuple[Any, dict[str, Any]]:
  """Graph of a network, and the shapes of its weights and preprocessing."""
  architecture = backbones.ARCHITECTURES[name]
  source = next(iter(architecture.sources.values()))
  graphdef, state = networks.build(architecture, source, trainable, False)
  color = shape(1, 1, 1, 3)
  return graphdef, {'network': state, 'mean': color, 'std': color}
