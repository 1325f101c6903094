"""Features of a network in an ONNX file, beside ONNX Runtime's own."""

import csv
import hashlib
import json
import pathlib

import numpy as np
import onnx
from onnx import helper
from onnx import numpy_helper
import onnxruntime
from PIL import Image
import pytest

from heterojax import features
from heterojax.backbones import exported
from heterojax.backbones import onnx_session
from heterojax.errors import UserError
from heterojax.launch import main as launch
from heterojax.launch import study

SIDE, DIM = 32, 16


def saved(path: pathlib.Path, batch, *, pooled: bool = True) -> bytes:
  """A convolution of patches, and its mean over the image."""
  rng = np.random.default_rng(0)
  kernel = rng.normal(size=(DIM, 3, 8, 8)).astype(np.float32)
  nodes = [
    helper.make_node('Conv', ['image', 'w'], ['map'], strides=[8, 8]),
    helper.make_node('GlobalAveragePool', ['map'], ['pool']),
    helper.make_node('Flatten', ['pool'], ['features']),
  ]
  shape = [batch, DIM] if pooled else [batch, DIM, SIDE // 8, SIDE // 8]
  graph = helper.make_graph(
    nodes if pooled else nodes[:1],
    'patches',
    [helper.make_tensor_value_info('image', 1, [batch, 3, SIDE, SIDE])],
    [helper.make_tensor_value_info('features' if pooled else 'map', 1, shape)],
    [numpy_helper.from_array(kernel, 'w')],
  )
  opset = [helper.make_opsetid('', 17)]
  model = helper.make_model(graph, opset_imports=opset, ir_version=8)
  onnx.checker.check_model(model)
  onnx.save(model, path)
  return path.read_bytes()


@pytest.mark.parametrize('batch', ['N', 1, 4])
def test_features_are_those_of_the_runtime(tmp_path, batch) -> None:
  content = saved(tmp_path / 'net.onnx', batch)
  backbone = exported.load(f'onnx:{tmp_path / "net.onnx"}', 'imagenet', SIDE)
  assert backbone.weights_sha256 == hashlib.sha256(content).hexdigest()
  images = np.random.default_rng(1).integers(0, 256, (6, SIDE, SIDE, 3))
  mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
  pixels = ((images / 255 - mean) / std).transpose(0, 3, 1, 2)
  session = onnxruntime.InferenceSession(content)
  step = batch if isinstance(batch, int) else 6
  padded = np.concatenate([pixels, pixels[:2]]).astype(np.float32)
  expected = np.concatenate([
    session.run(None, {'image': padded[i : i + step]})[0]
    for i in range(0, 6, step)
  ])[:6]
  np.testing.assert_allclose(
    backbone.pooled(images), expected, rtol=1e-5, atol=1e-5
  )


def test_a_feature_map_has_its_mean(tmp_path) -> None:
  saved(tmp_path / 'map.onnx', 'N', pooled=False)
  backbone = exported.load(f'onnx:{tmp_path / "map.onnx"}', 'raw', SIDE)
  images = np.random.default_rng(1).integers(0, 256, (2, SIDE, SIDE, 3))
  found = np.asarray(backbone.feature_map(images))
  assert found.shape == (2, SIDE // 8, SIDE // 8, DIM)
  np.testing.assert_allclose(
    backbone.pooled(images), found.mean((1, 2)), rtol=1e-5
  )


def test_what_the_graph_cannot_take(tmp_path) -> None:
  saved(tmp_path / 'net.onnx', 'N')
  with pytest.raises(UserError, match='data.image_size=32'):
    exported.load(f'onnx:{tmp_path / "net.onnx"}', 'raw', 64)
  (tmp_path / 'cut.onnx').write_bytes(
    (tmp_path / 'net.onnx').read_bytes()[:500]
  )
  with pytest.raises(UserError, match='is no network'):
    exported.load(f'onnx:{tmp_path / "cut.onnx"}', 'raw', SIDE)


def test_a_study_by_one_command(tmp_path) -> None:
  """Stored features are those of the images, block by block."""
  rng = np.random.default_rng(0)
  photos = tmp_path / 'photos'
  for label, shade in (('ill', 90), ('well', 150)):
    (photos / label).mkdir(parents=True)
    for i in range(40):
      pixels = rng.normal(shade, 40, (SIDE, SIDE, 3)).clip(0, 255)
      image = Image.fromarray(pixels.astype(np.uint8))
      image.save(photos / label / f'{i}.png')
  saved(tmp_path / 'net.onnx', 'N')
  run = tmp_path / 'run'
  words = ['study', str(photos), f'backbone.name=onnx:{tmp_path / "net.onnx"}']
  words += ['backbone.normalisation=unit', f'data.image_size={SIDE}']
  words += ['data.positive=ill', 'data.negative=well', 'cluster.k=2']
  words += ['reduction.n_components=5', 'verdict.worlds=0']
  words += ['features.batch_size=8', 'heads.random_runs=2']
  assert study.main([*words, f'--workdir={run}']) == 0
  found = json.loads((run / 'results.json').read_text())['backbone']
  assert found['name'] == 'onnx:net.onnx' and found['dim'] == DIM
  assert found['source'] == 'output features, pixels unit'
  stored = np.load(run / 'features' / 'features.npy')
  assert stored.shape == (80, DIM)
  with (run / 'manifest.csv').open(newline='') as file:
    paths = [row['path'] for row in csv.DictReader(file)]
  backbone = exported.load(f'onnx:{tmp_path / "net.onnx"}', 'unit', SIDE)
  images = np.stack([np.asarray(Image.open(photos / p)) for p in paths])
  # Rows are in the order of the samples; all are there.
  expected = np.asarray(backbone.pooled(images))
  order = lambda rows: rows[np.lexsort(rows.round(2).T)]
  np.testing.assert_allclose(order(stored), order(expected), atol=1e-4)
  assert (
    features.dim(backbone, features.Extraction('avg', SIDE, 'bilinear', 8, 1))
    == DIM
  )


@pytest.mark.parametrize('location', ['w.bin', '../here/w.bin'])
def test_tensors_are_taken_from_no_other_file(
  tmp_path, monkeypatch, location
) -> None:
  (tmp_path / 'here').mkdir()
  monkeypatch.chdir(tmp_path / 'here')
  model = onnx.load_from_string(saved(tmp_path / 'net.onnx', 'N'))
  (kernel,) = model.graph.initializer
  pathlib.Path('w.bin').write_bytes(kernel.raw_data)
  onnx.external_data_helper.set_external_data(kernel, location)
  kernel.ClearField('raw_data')
  content = model.SerializeToString()
  onnxruntime.InferenceSession(content)  # Which would take it.
  (tmp_path / 'net.onnx').write_bytes(content)
  with pytest.raises(UserError, match='takes tensors from other files'):
    exported.load(f'onnx:{tmp_path / "net.onnx"}', 'unit', SIDE)


def asking(number: int) -> onnx.ModelProto:
  """The mean of an image, and a loop or a tensor of so many where it is dark.

  Args:
    number: below 0 of steps, else of values.
  """
  node, real = helper.make_node, onnx.TensorProto.FLOAT
  value = helper.make_tensor_value_info
  constants = {
    'dark': np.float32(0.3),
    'number': np.array([abs(number)]),
    'yes': np.array(True),
    'one': np.ones(1, np.int64),
  }
  body = helper.make_graph(
    [node('Identity', ['go_in'], ['go']), node('Neg', ['v_in'], ['v'])],
    'body',
    [
      value('step', onnx.TensorProto.INT64, []),
      value('go_in', onnx.TensorProto.BOOL, []),
      value('v_in', real, None),
    ],
    [value('go', onnx.TensorProto.BOOL, []), value('v', real, None)],
  )
  work = (
    [node('Loop', ['asked', 'yes', 'means'], ['y'], body=body)]
    if number < 0
    else [
      node('Max', ['asked', 'one'], ['size']),
      node('ConstantOfShape', ['size'], ['zeros']),
      node('ReduceMax', ['zeros'], ['zero']),
      node('Add', ['means', 'zero'], ['y']),
    ]
  )
  graph = helper.make_graph(
    [
      node('ReduceMean', ['x'], ['means'], axes=[2, 3], keepdims=0),
      node('ReduceMin', ['means'], ['least'], keepdims=0),
      node('Less', ['least', 'dark'], ['is_dark']),
      node('Cast', ['is_dark'], ['times'], to=onnx.TensorProto.INT64),
      node('Mul', ['times', 'number'], ['asked']),
      *work,
    ],
    'asking',
    [value('x', real, ['N', 3, SIDE, SIDE])],
    [value('y', real, ['N', 3])],
    [numpy_helper.from_array(v, name) for name, v in constants.items()],
  )
  opset = [helper.make_opsetid('', 17)]
  return helper.make_model(graph, opset_imports=opset, ir_version=8)


@pytest.mark.parametrize(
  'number, says',
  [(-(2**60), 'it has not ended in'), (2**42, 'more memory than there is')],
)
def test_what_does_not_end_is_a_sentence(
  tmp_path, monkeypatch, capfd, number, says
) -> None:
  """At once, or when an image comes that makes it so."""
  monkeypatch.setattr(onnx_session, '_SECONDS', 0.5)
  onnx.save(asking(number), tmp_path / 'net.onnx')
  with pytest.raises(UserError, match=says):  # Where all are dark.
    exported.load(f'onnx:{tmp_path / "net.onnx"}', 'symmetric', SIDE)
  rng = np.random.default_rng(0)
  for i in range(4):
    (tmp_path / 'images' / 'ab'[i % 2]).mkdir(parents=True, exist_ok=True)
    pixels = rng.integers(0, 40 if i == 3 else 256, (SIDE, SIDE, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / 'images' / 'ab'[i % 2] / f'{i}.png')
  words = ['heterojax', 'features', str(tmp_path / 'images')]
  words += [f'backbone.name=onnx:{tmp_path / "net.onnx"}']
  words += ['backbone.normalisation=unit']
  words += ['data.positive=a', 'data.negative=b', f'data.image_size={SIDE}']
  assert launch.main([*words, f'--out={tmp_path / "f.npz"}']) == 2
  said = capfd.readouterr().err
  assert says in said and 'Traceback' not in said
