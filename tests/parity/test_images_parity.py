"""Resizing against TensorFlow itself."""

import numpy as np
import pytest

from heterojax.datasets import images

tf = pytest.importorskip('tensorflow')


@pytest.mark.parametrize(
  ('height', 'width', 'size'),
  [
    (128, 128, 224),
    (512, 512, 224),
    (1024, 1024, 193),
    (1728, 2592, 224),
    (2500, 2048, 299),
    (31, 17, 224),
  ],
)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_resize_is_tensorflows(
  height: int, width: int, size: int, dtype: type
) -> None:
  rng = np.random.default_rng(0)
  image = rng.uniform(0, 255, (height, width, 3)).astype(dtype)
  want = tf.image.resize(image, (size, size)).numpy()
  got = images.resize(image, size)
  np.testing.assert_allclose(got, want, rtol=0, atol=1e-4)
  want = tf.image.resize(image, (size, size), antialias=True).numpy()
  got = images.resize(image, size, 'antialias')
  # Pillow weighs pixels in 64 bits, TensorFlow in 32.
  np.testing.assert_allclose(got, want, rtol=0, atol=5e-3)
