"""What the ensemble needs to know of each kind of head."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from heterojax.heads import head
from heterojax.heads import regressor
from heterojax.heads import softmax

# Hidden layers of a regression; Mendez 2019 has four layers of unknown width.
WIDTHS = (256, 128, 64)

# Weights of a head: `head.Params`, `softmax.Params` or `regressor.Params`.
Params = Any


class Kind(NamedTuple):
  """What the ensemble needs to know of one kind of head, all unbatched.

  Attributes:
    params: type of its weights.
    init: of a key, the number of features and the widths.
    prepare: of weights and all training rows `x, y, mask`: the weights with
      what is taken from these rows.
    gradients: of weights, features `[N, D]`, the rows of a batch, their targets
      and shares `[B]`, and l2, by the weights.
    losses: `[B]` of weights, outputs and `y`.
    right: `[B]` of outputs and `y`; None of numbers, which are never right.
    penalty: of weights, to be multiplied by l2.
    outputs: `[B]` of weights and `x`; of several classes `[B, C]`.
    group: heads whose outputs are one matrix product on a CPU core.
    monitors: what its early stopping can look at.
  """

  params: type
  init: Callable[[jax.Array, int, tuple[int, ...]], Params]
  prepare: Callable[[Params, jax.Array, jax.Array, jax.Array], Params]
  gradients: Callable[..., Params]
  losses: Callable[[Params, jax.Array, jax.Array], jax.Array]
  right: Callable[[jax.Array, jax.Array], jax.Array] | None
  penalty: Callable[[Params], jax.Array]
  outputs: Callable[[Params, jax.Array], jax.Array]
  group: int
  monitors: tuple[str, ...]


KINDS = {
  'classification': Kind(
    params=head.Params,
    init=lambda key, dim, widths: head.init(key, dim),
    prepare=lambda params, x, y, mask: params,
    gradients=head.gradients,
    losses=head.losses,
    right=head.right,
    penalty=head.penalty,
    outputs=head.logits,
    group=16,
    monitors=('val_accuracy', 'val_loss'),
  ),
  'multiclass': Kind(
    params=softmax.Params,
    init=softmax.init,
    prepare=lambda params, x, y, mask: params,
    gradients=softmax.gradients,
    losses=softmax.losses,
    right=softmax.right,
    penalty=head.penalty,
    outputs=softmax.logits,
    group=4,
    monitors=('val_accuracy', 'val_loss'),
  ),
  'regression': Kind(
    params=regressor.Params,
    init=regressor.init,
    prepare=regressor.standardise,
    gradients=regressor.gradients,
    losses=regressor.losses,
    right=None,
    penalty=regressor.penalty,
    outputs=regressor.outputs,
    group=1,
    monitors=('val_loss',),
  ),
}
