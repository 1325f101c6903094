"""The recipes of docs/recipes.md, run with stand-ins for the libraries."""

import contextlib
import pathlib
import re
import sys
import types

import numpy as np
from PIL import Image
import pytest

from heterojax.configs import features as features_config
from heterojax.studies import checks
from heterojax.studies import stages

TEXT = (pathlib.Path(__file__).parent.parent / 'docs/recipes.md').read_text()
_BLOCK = r'^### ([^\n]*)\n(?:(?!^###).)*?^```python\n(.*?)^```'
RECIPES = dict(re.findall(_BLOCK, TEXT, re.M | re.S))
SHARED = re.search(r'^```python\n(.*?)^```', TEXT, re.M | re.S)[1]
DIM = 4


class Tensor(np.ndarray):
  """As much of one as a recipe uses."""

  def float(self):
    return self


class Net:
  """A network: its features are means of its images, and their order."""

  def eval(self):
    return self

  def load_state_dict(self, state, strict=True):
    self.state = state, strict

  def __call__(self, image=None, **named):
    image = named.get('pixel_values', image)
    assert isinstance(image, np.ndarray) and image.shape[0] == 1
    rows = np.full((1, DIM), image.mean()) + np.arange(DIM)
    return types.SimpleNamespace(pooler_output=rows) if named else rows

  forward_features = __call__

  def features(self, image):
    assert image.ndim == 4 and len(image) == 1
    return self(image)[:, :, None, None] * np.ones((1, DIM, 7, 7))


def modules() -> dict[str, types.ModuleType]:
  """Stand-ins by name, with what the recipes call."""
  array = lambda image: np.asarray(image, np.float32).view(Tensor)
  tensor = lambda image: array(image).reshape(3, *image.size[::-1])
  net = lambda *args, **kwargs: Net()
  named = lambda **parts: types.SimpleNamespace(**parts)
  processor = lambda images, return_tensors: {
    'pixel_values': array(images)[None]
  }

  def execute(image, mask):
    value = float(np.asarray(Image.open(image)).mean())
    return {'diagnostics_Version': 'x', 'original_mean': np.array(value)}

  parts = {
    'torch': {
      'inference_mode': contextlib.nullcontext,
      'from_numpy': lambda x: x.view(Tensor),
      'load': lambda path, **kwargs: {'model': path},
      'hub': named(load=net),
    },
    'timm': {
      'create_model': net,
      'data': named(
        resolve_model_data_config=lambda net: {'input_size': 8},
        create_transform=lambda input_size, is_training: tensor,
      ),
    },
    'transformers': {
      'AutoModel': named(from_pretrained=net),
      'AutoImageProcessor': named(from_pretrained=lambda name: processor),
    },
    'models_vit': {'RETFound_mae': net},
    'torchxrayvision': {
      'models': named(DenseNet=net),
      'datasets': named(normalize=lambda x, most: (2 * x / most - 1) * 1024),
    },
    'monai': {},
    'monai.networks': {},
    'monai.networks.nets': {'DenseNet121': net},
    'radiomics': {
      'featureextractor': named(
        RadiomicsFeatureExtractor=lambda: named(execute=execute)
      )
    },
  }
  found = {}
  for name, attributes in parts.items():
    found[name] = types.ModuleType(name)
    vars(found[name]).update(attributes)
  return found


def test_there_is_a_recipe_of_ten_lines_for_each() -> None:
  assert [*RECIPES] == [
    'timm',
    'DINOv2',
    'RAD-DINO',
    'RETFound',
    'torchxrayvision',
    'MONAI',
    'PyRadiomics',
  ]
  for name, code in RECIPES.items():
    assert len(code.splitlines()) <= 10, name


@pytest.mark.parametrize('name', RECIPES)
def test_a_recipe_writes_what_a_study_reads(
  name, tmp_path, monkeypatch
) -> None:
  monkeypatch.chdir(tmp_path)
  paths = [f'{i}.png' for i in range(6)]
  for i, path in enumerate(paths):
    Image.new('RGB', (30, 20), (10 * i,) * 3).save(path)
  for module, stand_in in modules().items():
    monkeypatch.setitem(sys.modules, module, stand_in)
  given = {
    'paths': paths,
    'masks': paths,
    'labels': ['ill', 'well'] * 3,
    'patients': ['p', 'p', 'q', 'q', 'r', 'r'],
  }
  exec(SHARED + RECIPES[name], given)  # pylint: disable=exec-used
  config = features_config.get_config(None).to_dict()
  config['data'] |= {
    'dir': 'features.npz',
    'positive': 'ill',
    'negative': 'well',
  }
  cohort = stages.read_one(checks.from_dict(config), tmp_path / 'run')
  assert [c.id for c in cohort.candidates] == paths
  assert [c.label for c in cohort.candidates] == given['labels']
  assert [c.group for c in cohort.candidates] == given['patients']
  x = np.load('features.npz')['features']
  # Brighter images have larger features, in the order of the paths.
  assert len(x) == 6 and (np.diff(x[:, 0]) > 0).all()


def test_the_workflow_has_fifteen_lines() -> None:
  (workflow,) = re.findall(r'^```yaml\n(.*?)^```', TEXT, re.M | re.S)
  assert len(workflow.splitlines()) <= 15
  for flag in ('--junit=', '--fail_if='):
    assert flag in workflow
