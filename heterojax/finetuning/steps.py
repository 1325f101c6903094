"""One jitted step of backbone and top model together, and their outputs.

Pure functions; *models* are ((weights of the backbone, top model), running
statistics of batch norm). Axes: B batch, S side of an image, D features.
"""

from collections.abc import Sequence
import functools
from typing import Any, NamedTuple

from flax import nnx
import jax
import jax.numpy as jnp
import optax

from heterojax import backbones
from heterojax import features as features_lib
from heterojax.backbones import layers
from heterojax.heads import head
from heterojax.heads.kinds import KINDS

# Share of the running statistics that a step keeps. Keras' and Lukemelas' 0.99
# is made for thousands of steps; a job of 60 images has a few dozen, after
# which the pretrained data set's statistics would still be in force.
MOMENTUM = 0.9


class State(NamedTuple):
  weights: Any  # (of the backbone, of the top model)
  statistics: nnx.State  # Running ones of batch norm.
  opt_state: optax.OptState


def with_momentum(backbone: backbones.Backbone) -> nnx.GraphDef:
  """The network with `MOMENTUM` in every batch norm."""
  params = backbone.params['network']
  network = nnx.merge(backbone.graphdef, params, copy=True)
  for _, layer in nnx.iter_graph(network):
    if isinstance(layer, layers.BatchNorm):
      layer.norm = layer.norm._replace(momentum=MOMENTUM)
  return nnx.split(network)[0]


def _is_kernel(models: Any) -> Any:
  """Which leaves are decayed."""
  return jax.tree_util.tree_map_with_path(
    lambda path, _: 'kernel' in jax.tree_util.keystr(path), models
  )


def _optimizer(
  learning_rate: float | jax.Array, weight_decay: float | jax.Array
) -> optax.GradientTransformation:
  """Adam and decoupled weight decay, as Keras' AdamW."""
  return optax.chain(
    head.keras_adam(learning_rate),
    optax.add_decayed_weights(-learning_rate * weight_decay, _is_kernel),
  )


@jax.jit
def start_optimizer(models: Any) -> optax.OptState:
  return _optimizer(0.0, 0.0).init(models)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def step(
  graphdef: nnx.GraphDef,
  task: str,
  state: State,
  scaling: dict[str, jax.Array],
  images: jax.Array,
  y: jax.Array,
  learning_rate: jax.Array,
  weight_decay: jax.Array,
) -> tuple[State, jax.Array]:
  """One step of both models on `[B, S, S, 3]`; also the batch's loss."""
  kind = KINDS[task]

  def loss(weights):
    network, top = weights
    params = {**scaling, 'network': nnx.merge_state(network, state.statistics)}
    pooled, params = backbones.forward_training(graphdef, params, images)
    _, statistics = nnx.split_state(params['network'], nnx.Param, ...)
    shares = jnp.full_like(y, 1 / len(y))
    losses = kind.losses(top, kind.outputs(top, pooled), y)
    return jnp.sum(losses * shares), statistics

  (value, statistics), grads = jax.value_and_grad(loss, has_aux=True)(
    state.weights
  )
  optimizer = _optimizer(learning_rate, weight_decay)
  updates, opt_state = optimizer.update(grads, state.opt_state, state.weights)
  weights = optax.apply_updates(state.weights, updates)
  return State(weights, statistics, opt_state), value


def step_bytes(
  backbone: backbones.Backbone,
  task: str,
  dim: int,
  widths: Sequence[int],
  shape: tuple[int, ...],
) -> int:
  """Memory of one step as XLA plans it, with both models and their optimiser.

  Args:
    backbone: of `backbones.load(..., trainable=True)`.
    task: of `KINDS`.
    dim: number of features, D.
    widths: of the hidden layers of a regression's top model, or how many
      classes there are.
    shape: of a batch, `[B, S, S, 3]`.

  Returns:
    Bytes on the device.
  """
  params, key = backbone.params, jax.random.key(0)
  weights, statistics = nnx.split_state(params['network'], nnx.Param, ...)
  top = KINDS[task].init(key, dim, tuple(widths))
  models = (weights, top)
  program = step.lower(
    with_momentum(backbone),
    task,
    State(models, statistics, start_optimizer(models)),
    {name: params[name] for name in ('mean', 'std')},
    jax.ShapeDtypeStruct(shape, jnp.float32),
    jax.ShapeDtypeStruct(shape[:1], jnp.float32),
    0.0,
    0.0,
  ).compile()
  planned = program.memory_analysis()
  assert planned is not None  # CPU, GPU and TPU all plan.
  # The new state takes the place of the old one, which counts once.
  return (
    planned.argument_size_in_bytes
    + planned.output_size_in_bytes
    - planned.alias_size_in_bytes
    + planned.temp_size_in_bytes
  )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def apply(
  graphdef: nnx.GraphDef,
  task: str,
  feature: str,
  models: Any,
  scaling: dict[str, jax.Array],
  images: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Features `[B, D]` and outputs, see `Kind`, by the running statistics."""
  (network, top), statistics = models
  params = {**scaling, 'network': nnx.merge_state(network, statistics)}
  pooled = backbones.apply(graphdef, 'pooled', params, images)
  features = backbones.apply(
    graphdef, features_lib.OUTPUT[feature], params, images
  )
  outputs = KINDS[task].outputs(top, pooled)
  return features.reshape(len(images), -1), outputs
