"""Writes resized.npz: images as `tf.image.resize` resizes them.

python tests/goldens/generate_resized.py, with TensorFlow installed. Inputs and
outputs are stored, so that the golden does not hang on a random generator.
"""

import pathlib

import numpy as np
import tensorflow as tf

# Height, width, side of the output. The long strip shows in which precision the
# positions are computed.
SIZES = (
  (1, 1, 3),
  (1, 6, 4),
  (6, 1, 4),
  (2, 2, 4),
  (2, 3, 5),
  (7, 5, 3),
  (5, 7, 12),
  (9, 9, 3),
  (16, 16, 7),
  (33, 17, 9),
  (17, 33, 20),
  (48, 40, 13),
  (21, 21, 21),
  (2047, 3, 12),
)


def main():
  rng = np.random.default_rng(0)
  out = {}
  for height, width, size in SIZES:
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    case = f'{height}x{width}x{size}'
    out[f'{case}/image'] = image
    for how, antialias in (('keras', False), ('antialias', True)):
      resized = tf.image.resize(image, (size, size), antialias=antialias)
      out[f'{case}/{how}'] = resized.numpy()
  path = pathlib.Path(__file__).with_name('resized.npz')
  np.savez_compressed(path, **out)


if __name__ == '__main__':
  main()
