"""The parity lane: the original libraries, installed by the extra `parity`."""

import os

# Keras runs on JAX: no TensorFlow is needed to be Keras.
os.environ.setdefault('KERAS_BACKEND', 'jax')

import jax

# Peers broadcast as they like.
jax.config.update('jax_numpy_rank_promotion', 'allow')
