"""Networks in ONNX files: what is refused, and how a graph is understood."""

import numpy as np
import pytest

from heterojax.backbones import exported
from heterojax.configs import folder as folder_config
from heterojax.errors import UserError
from heterojax.studies import checks

try:
  import onnxruntime
except ImportError:
  onnxruntime = None


def settings(**backbone):
  config = folder_config.get_config(None).to_dict()
  config['backbone'] |= backbone
  return checks.from_dict(config)


def test_the_runtime_is_an_extra(tmp_path) -> None:
  path = tmp_path / 'net.onnx'
  path.write_bytes(b'no graph')
  says = 'is no network' if onnxruntime else r"pip install 'heterojax\[onnx\]'"
  with pytest.raises(UserError, match=says):
    exported.load(f'onnx:{path}', 'unit', 64)
  with pytest.raises(UserError, match='cannot be read'):
    exported.load(f'onnx:{tmp_path / "none.onnx"}', 'unit', 64)


@pytest.mark.parametrize(
  'backbone, says',
  [
    ({'name': 'onnx:a.onnx'}, 'does not say how its pixels are normalised'),
    (
      {'name': 'onnx:a.onnx', 'normalisation': 'unit', 'dtype': 'bfloat16'},
      'runs as it was exported',
    ),
    (
      {'name': 'onnx:s3://b/a.onnx', 'normalisation': 'unit'},
      '--config.backbone.name is s3://b/a.onnx, an address',
    ),
    ({'normalisation': 'unit'}, 'is for networks in ONNX files'),
    ({'name': 'onnx:a.onnx', 'normalisation': 'caffe'}, 'must be one of'),
  ],
)
def test_settings_that_cannot_be(backbone, says) -> None:
  with pytest.raises(UserError, match=says):
    settings(**backbone)


def test_settings_that_can() -> None:
  name = 'onnx:a.onnx'
  assert settings(name=name, normalisation='raw').backbone.name == name


class Session:
  """Rows of pixels: what a runtime is asked for, without one."""

  def __init__(self, shape, outputs=('features',), kind='tensor(float)'):
    self.fed = []
    self._inputs = [Port('image', shape, kind)]
    self._outputs = [Port(name, None, kind) for name in outputs]

  def get_inputs(self):
    return self._inputs

  def get_outputs(self):
    return self._outputs

  def run(self, names, feed):
    (images,) = feed.values()
    self.fed.append(images.shape)
    return [images.reshape(len(images), -1)]


class Port:
  def __init__(self, name, shape, kind):
    self.name, self.shape, self.type = name, shape, kind


def graph(session: Session, output: str = ''):
  return exported._graph('net.onnx', session, output)


@pytest.mark.parametrize(
  'shape, batch, first, side',
  [
    ([1, 3, 224, 224], 1, True, 224),
    (['N', 3, 'H', 'W'], 0, True, 0),
    ([None, 96, 96, 3], 0, False, 96),
  ],
)
def test_layouts(shape, batch, first, side) -> None:
  found = graph(Session(shape))
  assert (found.batch, found.channels_first, found.side) == (batch, first, side)


@pytest.mark.parametrize(
  'session, says',
  [
    (Session(['N', 'C', 'H', 'W']), 'cannot be told where'),
    (Session(['N', 3, 224, 3]), 'cannot be told where'),
    (Session(['N', 3, 224, 112]), 'square'),
    (Session(['N', 3]), 'cannot be told where'),
    (Session(['N', 3, 8, 8], kind='tensor(uint8)'), 'images of float32 alone'),
    (Session(['N', 3, 8, 8], outputs=('a', 'b')), r'outputs a, b: say which'),
  ],
)
def test_graphs_that_are_refused(session, says) -> None:
  with pytest.raises(UserError, match=says):
    graph(session)


def test_an_output_by_name() -> None:
  session = Session(['N', 3, 8, 8], outputs=('a', 'b'))
  assert graph(session, 'b').output == 'b'
  with pytest.raises(UserError, match="has no output 'c'"):
    graph(session, 'c')


def test_batches_of_a_fixed_size_and_channels_first() -> None:
  """Two at a time: the last call is filled up, and gives no row for that."""
  session = Session([2, 3, 4, 4])
  images = np.arange(3 * 4 * 4 * 3, dtype=np.float32).reshape(3, 4, 4, 3)
  found = exported._Runner(session, graph(session))(images)
  assert session.fed == [(2, 3, 4, 4)] * 2
  expected = images.transpose(0, 3, 1, 2).reshape(3, -1)
  np.testing.assert_array_equal(found, expected)


def test_normalisations_by_hand() -> None:
  values = {
    name: ((np.array([0.0, 255.0]) - mean[0]) / std[0]).tolist()
    for name, (mean, std) in exported.NORMALISATIONS.items()
  }
  assert values['raw'] == [0, 255] and values['unit'] == [0, 1]
  assert values['symmetric'] == [-1, 1]
  assert values['imagenet'] == pytest.approx([
    -0.485 / 0.229,
    (1 - 0.485) / 0.229,
  ])
