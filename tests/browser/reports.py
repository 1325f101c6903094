"""Reports of made-up results, of every kind that there is: nothing is trained.

Names from outside are long and hold HTML, images are few, and values are
missing: what fits with these fits.
"""

import dataclasses
import json
import pathlib

import answers
import retraining_results
import sample_size_results

from heterojax import comparison
from heterojax.records import codec
from heterojax.run import run_folder
from heterojax.studies.answer import answer
from heterojax.studies.retraining import pages
from heterojax.studies.retraining.records import Results

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
  view = retraining_results.many(view, k, _MANY, (0, 256))
  found = answer.verdict(answers.found_in_first(k), answers.facts(k))
  results = dataclasses.replace(results, verdict=found)
  text = run_folder.to_json(codec.encode(results))
  (folder / 'results.json').write_text(text)
  pages.write(folder, codec.decode(Results, json.loads(text)), view)
  return folder
