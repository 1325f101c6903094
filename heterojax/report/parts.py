"""What the page of every study has: files of its run, pictures, timings."""

import base64
from collections.abc import Sequence
import json
import pathlib
from typing import Any

from heterojax.datasets import manifest as manifest_lib
from heterojax.report import formatting
from heterojax.studies.retraining.pages import tables

_MEDIA = {'svg': 'image/svg+xml', 'jpeg': 'image/jpeg'}
_STAGES = {
  'data': 'Data: reading, selecting and splitting',
  'features': 'Features',
  'ceiling': 'Matrix products, as a ceiling of speed',
  'training': 'Training of all networks',
  'clusters': 'Reduction and clusters',
  'heads': 'Training of all heads',
  'evaluation': 'Evaluation',
}

# What `base.html` calls functions of a value.
FILTERS = {
  'number': formatting.number,
  'capital': formatting.capital,
}


def common(
  folder: pathlib.Path, results: dict[str, Any], labels: Sequence[str]
) -> dict[str, Any]:
  """What `base.html` shows of any study.

  Args:
    folder: the run folder; `manifest.csv` is read from it if it is there.
    results: `results.json`.
    labels: the positive and the negative class; nothing for regression.

  Returns:
    Names and values for the template.
  """
  rows = manifest(folder)
  return {
    'r': results,
    'd': results['dataset'],
    'labels': labels,
    'given': formatting.given(results),
    'unit': formatting.unit(results),
    'manifest': rows,
    'used': sum(row['included'] == 'true' for row in rows),
    'left_out': tables.left_out(rows, labels),
    'stages': stages(results['timings']),
    'environment': flat(results['environment']),
  }


def data_uri(content: bytes, kind: str) -> str:
  """A picture as an address that holds it."""
  return f'data:{_MEDIA[kind]};base64,{base64.b64encode(content).decode()}'


def config(folder: pathlib.Path) -> dict[str, Any]:
  """`config.json` of a run folder; {} without one."""
  path = folder / 'config.json'
  return json.loads(path.read_text()) if path.exists() else {}


def manifest(folder: pathlib.Path) -> list[dict[str, str]]:
  """Rows of `manifest.csv` of a run folder; none without one."""
  path = folder / 'manifest.csv'
  if not path.exists():
    return []
  return manifest_lib.parse_csv(path.read_bytes().decode())


def stages(timings: dict[str, dict[str, float]]) -> list[tuple[str, str, str]]:
  """Stage, seconds and rates, as text."""
  rows = []
  for stage, values in timings.items():
    text = ', '.join(
      _rate(name.removesuffix('_per_second'), value)
      for name, value in values.items()
      if name.endswith('_per_second')
    )
    if 'model_flop_utilisation' in values:
      share = formatting.percent(values['model_flop_utilisation'])
      text += f', {share} of the ceiling (model FLOP utilisation)'
    rows.append((_STAGES.get(stage, stage), f'{values["seconds"]:.1f} s', text))
  return rows


def _rate(name: str, value: float) -> str:
  if name.endswith('_flops'):
    dtype = name.removesuffix('_flops')
    return f'{value / 1e9:,.0f} GFLOP a second in {dtype}'
  return f'{value:.1f} {name} a second'


def flat(tree: dict[str, Any]) -> list[tuple[str, str]]:
  """Names and values of a description as text, one level deep."""
  rows = []
  for key, value in tree.items():
    if isinstance(value, dict):
      value = ', '.join(f'{name} {version}' for name, version in value.items())
    rows.append((key.replace('_', ' '), str(value)))
  return rows
