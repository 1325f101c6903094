"""Networks in ONNX files: what is refused, and how a graph is understood."""

import os
import pathlib

import numpy as np
import pytest

from heterojax.backbones import exported
from heterojax.backbones import onnx_graph
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


@pytest.mark.skipif(os.name == 'nt', reason='Windows has no such files.')
@pytest.mark.parametrize('what', ['/dev/zero', 'a pipe'])
def test_what_never_ends_is_no_network(tmp_path, what: str) -> None:
  path = tmp_path / 'net.onnx'
  if what == 'a pipe':
    os.mkfifo(path)
  else:
    path.symlink_to(what)
  with pytest.raises(UserError, match='cannot be read .not a regular file'):
    exported.load(f'onnx:{path}', 'unit', 64)


def _field(number: int, inside: bytes) -> bytes:
  """A field of a protobuf message that has a length below 128."""
  return bytes([*_varint(number << 3 | 2), len(inside)]) + inside


def _varint(number: int) -> list[int]:
  return [number] if number < 128 else [number & 127 | 128, number >> 7]


# Of `onnx.proto`: the fields that lead from a model to a tensor.
@pytest.mark.parametrize(
  'way',
  [
    (7, 5),  # A weight.
    (7, 15, 1),  # A sparse one.
    (7, 15, 2),
    (7, 1, 5, 5),  # A constant.
    (7, 1, 5, 10),
    (7, 1, 5, 22, 1),
    (7, 1, 5, 23, 2),
    (7, 1, 5, 6, 5),  # A weight in the body of a loop.
    (7, 1, 5, 11, 1, 5, 6, 5),
    (20, 1, 5),
    (20, 2, 5),
    (25, 7, 5, 5),  # A constant of a function.
    (25, 11, 5),
  ],
)
def test_a_tensor_of_another_file_is_found(way) -> None:
  name = _field(8, b'location')  # And of itself says nothing.
  number = bytes([*_varint(2 << 3), 1])
  where = _field(13, _field(1, b'location') + _field(2, b'w.bin'))
  for tensor, whole in ((name + number, True), (name + number + where, False)):
    for field in reversed(way):
      tensor = number + _field(field, tensor)
    assert onnx_graph.is_whole(tensor) == whole


def test_a_tensor_of_another_file_is_found_behind_a_long_number() -> None:
  """Protobuf reads five bytes of it, of which 32 bits count."""
  location = _field(1, b'location') + _field(2, b'w.bin')
  for last in (0, 0x10, 0x70):
    key = bytes([13 << 3 & 127 | 2 | 128, 128, 128, 128, last])
    tensor = key + bytes([len(location)]) + location
    assert not onnx_graph.is_whole(_field(7, _field(5, tensor)))


@pytest.mark.parametrize(
  'content', [b'\x3a', b'\xff', b'\x3b\x3c', b'no graph', b'\x80' * 11 + b'\0']
)
def test_what_is_no_message(content: bytes) -> None:
  with pytest.raises(ValueError):
    onnx_graph.is_whole(content)


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


class Of(Session):
  """A runtime that gives what a function makes of the rows of pixels."""

  def __init__(self, made):
    super().__init__(['N', 3, 4, 4])
    self._made = made

  def run(self, names, feed):
    return [self._made(super().run(names, feed)[0])]


def shape(made):
  session = Of(made)
  runner = exported._Runner(session, graph(session))
  return exported._shape(pathlib.Path('a.onnx'), runner, exported._two(4))


def test_the_shape_of_features() -> None:
  assert shape(lambda x: x) == (48,)
  assert shape(lambda x: x.reshape(-1, 6, 8)) == (6, 8)
  assert shape(lambda x: 0 * x) == (48,)


@pytest.mark.parametrize(
  'made, says',
  [
    (
      lambda x: x.reshape(-1, 8),
      r'gives \[6, 8\] as features for a batch of 1',
    ),
    (
      lambda x: x.mean(0, keepdims=True),
      r'gives \[1, 48\] as features for a batch of 2',
    ),
    (lambda x: x - x.mean(0), 'beside another one than alone'),
    (lambda x: np.repeat(x, len(x), 1), 'beside another one than alone'),
    (lambda x: x[:, :0], r'gives \[2, 0\], but must give'),
    (
      lambda x: x * np.random.default_rng(len(x)).integers(0, 2, x.shape),
      'exported for training',
    ),
  ],
)
def test_what_are_no_features_of_an_image_are_refused(made, says) -> None:
  """Tokens as rows, what hangs on the batch, nothing, and dropout."""
  with pytest.raises(UserError, match=says):
    shape(made)


def test_a_map_has_the_layout_that_makes_it_square() -> None:
  """Images come with channels first here; the map need not go so."""
  maps = {
    'first': lambda x: x.reshape(-1, 3, 4, 4),
    'last': lambda x: x.reshape(-1, 3, 4, 4).transpose(0, 2, 3, 1),
  }
  images = exported._two(4)
  for made in maps.values():
    runner = exported._Runner(Of(made), graph(Of(made)))
    first = exported._channels_first(
      pathlib.Path('a.onnx'), shape(made), runner.graph
    )
    network = exported.Exported(runner, shape(made), first)
    np.testing.assert_array_equal(network.feature_map(images), images)


@pytest.mark.parametrize(
  'found, as_images, first',
  [
    ((7, 7, 7), True, True),  # Nothing tells: as the images.
    ((1, 1, 1), False, False),
    ((8, 1, 1), False, True),
    ((1, 1, 8), True, False),
    ((5,), True, True),
  ],
)
def test_where_the_channels_of_a_map_are(found, as_images, first) -> None:
  like = graph(Session(['N', 3, 8, 8] if as_images else ['N', 8, 8, 3]))
  path = pathlib.Path('a.onnx')
  assert exported._channels_first(path, found, like) == first


def test_a_map_that_is_not_square_is_refused() -> None:
  like = graph(Session(['N', 3, 8, 8]))
  with pytest.raises(UserError, match=r'\[1, 50, 8\] a picture, of which'):
    exported._channels_first(pathlib.Path('a.onnx'), (1, 50, 8), like)


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
