"""Reports of made-up results, of every kind that there is: nothing is trained.

Names from outside are long and hold HTML, images are few, and values are
missing: what fits with these fits.
"""

import dataclasses
import json
import pathlib

import answers
import numpy as np
import retraining_results
import sample_size_results

from heterojax import comparison
from heterojax.records import codec
from heterojax.run import run_folder
from heterojax.studies.answer import answer
from heterojax.studies.retraining import pages
from heterojax.studies.retraining import view as view_lib
from heterojax.studies.retraining.records import Results
from heterojax.studies.retraining.view import View

_MANY = 100_000  # Images.
_GRADES = ('no retinopathy', 'mild', 'moderate', 'severe', 'proliferative')


def write(folder: pathlib.Path) -> list[pathlib.Path]:
  """Writes all reports.

  Args:
    folder: for them and their runs.

  Returns:
    Their paths, each with a name of its own.
  """
  runs = {
    'retraining': _retraining(folder / 'retraining', k=4, one_class=True),
    'grades': _retraining(folder / 'grades', k=3, names=_GRADES, folds=3),
  }
  for name, task in (('sizes', 'classification'), ('ages', 'regression')):
    runs[name] = folder / name
    runs[name].mkdir()
    results = sample_size_results.example(task, components=True)
    sample_size_results.write(runs[name], results)
  pages_of = {name: run / 'report.html' for name, run in runs.items()}
  clean = folder / 'clean'
  clean.mkdir()
  text = (runs['retraining'] / 'results.json').read_text()
  other = json.loads(text) | {'protocol': 'clean', 'seed': 1}
  (clean / 'results.json').write_text(run_folder.to_json(other))
  pages_of['comparison'] = comparison.write([
    str(runs['retraining']),
    str(clean),
  ]).path
  named = []
  for name, path in pages_of.items():
    named.append(folder / f'{name}.html')
    named[-1].write_bytes(path.read_bytes())
  return named


def _retraining(folder: pathlib.Path, k: int, **how) -> pathlib.Path:
  folder.mkdir()
  results, view = retraining_results.study(folder, k, **how)
  view = _with_many(view, k)
  found = answer.verdict(answers.found_in_first(k), answers.facts(k))
  results = dataclasses.replace(results, verdict=found)
  text = run_folder.to_json(codec.encode(results))
  (folder / 'results.json').write_text(text)
  pages.write(folder, codec.decode(Results, json.loads(text)), view)
  return folder


def _with_many(view: View, k: int) -> View:
  """A view of many images, and of pictures that compress badly."""
  stream = np.random.default_rng(0)
  labels = stream.integers(k, size=_MANY)
  tiles = 2 * k * view_lib.TILES_PER_CLUSTER
  side = view_lib.SIDE // 4
  coarse = stream.integers(0, 256, (tiles, side, side, 3), np.uint8)
  return view._replace(
    points=labels[:, None] + stream.normal(size=(_MANY, 2)),
    split=np.where(np.arange(_MANY) % 5, 'train', 'test'),
    y=stream.integers(2, size=_MANY),
    labels=labels,
    wrong=stream.random(_MANY) < 0.1,
    tile_images=coarse.repeat(4, 1).repeat(4, 2),
    tile_wrong=np.arange(tiles) % 2 == 1,
    tile_answers=np.zeros(tiles, int),
    tile_shares=np.linspace(0.5, 1, tiles),
    tile_labels=np.arange(tiles) // 2 % k,
    tile_y=np.ones(tiles, int),
    tile_names=np.array([f'patient_{i:06d}_left.png' for i in range(tiles)]),
    tile_problems=np.full(tiles, ''),
  )
