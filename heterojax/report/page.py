"""`report.html`: one file that needs nothing else."""

import base64
import csv
from importlib import resources
import json
import pathlib
from typing import Any

import jinja2

from heterojax import metrics
from heterojax.report import figures
from heterojax.report import methods
from heterojax.report import montage as montage_lib
from heterojax.report import tables
from heterojax.report import wording

_MEDIA = {'svg': 'image/svg+xml', 'jpeg': 'image/jpeg'}
_STAGES = {
    'data': 'Data: reading, selecting and splitting',
    'features': 'Features',
    'clusters': 'Reduction and clusters',
    'heads': 'Training of all heads',
    'evaluation': 'Evaluation',
}


def data_uri(content: bytes, kind: str) -> str:
  return f'data:{_MEDIA[kind]};base64,{base64.b64encode(content).decode()}'


def render(
    folder: pathlib.Path,
    results: dict[str, Any],
    drawn: dict[str, bytes],
    montage: list[list[montage_lib.Tile]],
) -> str:
  """The report.

  Args:
    folder: the run folder; `manifest.csv` and `config.json` are read from it
      where they are there.
    results: `results.json`.
    drawn: file name to content of the figures.
    montage: see `montage.tiles`.

  Returns:
    The page.
  """
  environment = jinja2.Environment(
      # Names of classes and files come from outside.
      autoescape=True,
      undefined=jinja2.StrictUndefined,
      trim_blocks=True,
      lstrip_blocks=True,
  )
  environment.filters |= {
      'fraction': lambda value: f'{value:.3f}',
      'exact': lambda value: f'{value:g}',
      'percent': wording.percent,
      'thousands': lambda value: f'{value:,}',
  }
  source = resources.files(__package__).joinpath('template.html').read_text()
  config = _config(folder)
  manifest = _manifest(folder)
  d = results['dataset']
  labels = (d['positive'], d['negative'])
  return environment.from_string(source).render(
      r=results,
      d=d,
      copies=d['n_train_augmented'] > d['n_train'],
      labels=labels,
      metrics=metrics.METRICS,
      titles=figures.TITLES,
      why=tables.why_null,
      extremes=tables.extremes,
      class_counts=tables.class_counts,
      words=wording,
      methods=methods,
      config=config,
      network=methods.network(results),
      manifest=manifest,
      left_out=wording.left_out(manifest, labels) if manifest else [],
      figure=lambda name: data_uri(drawn[f'{name}.svg'], 'svg'),
      montage=[
          [(tile, data_uri(tile.jpeg, 'jpeg')) for tile in row]
          for row in montage
      ],
      stages=_stages(results['timings']),
      environment=_flat(results['environment']),
  )


def _config(folder: pathlib.Path) -> dict[str, Any]:
  path = folder / 'config.json'
  return json.loads(path.read_text()) if path.exists() else {}


def _manifest(folder: pathlib.Path) -> list[dict[str, str]]:
  path = folder / 'manifest.csv'
  if not path.exists():
    return []
  with path.open(encoding='utf-8', newline='') as file:
    return list(csv.DictReader(file))


def _stages(timings: dict[str, dict[str, float]]) -> list[tuple[str, str, str]]:
  """Stage, seconds and rate, as text."""
  rows = []
  for stage, values in timings.items():
    rate = [
        f'{value:.1f} {name.replace("_per_second", "")} a second'
        for name, value in values.items()
        if name != 'seconds'
    ]
    text = ', '.join(rate)
    rows.append((_STAGES.get(stage, stage), f'{values["seconds"]:.1f} s', text))
  return rows


def _flat(tree: dict[str, Any]) -> list[tuple[str, str]]:
  rows = []
  for key, value in tree.items():
    if isinstance(value, dict):
      value = ', '.join(f'{name} {version}' for name, version in value.items())
    rows.append((key.replace('_', ' '), str(value)))
  return rows
