"""Compares stand-ins for results with results of a study."""

from typing import Any

from heterojax.records import foretell
from heterojax.studies import registry


def foretold(config: dict[str, Any]) -> dict[str, Any]:
  """Stand-ins for the results of a study before its data are read."""
  settings = registry.settings(config)
  study = registry.get(settings.study)
  return foretell.foretell(study.results, study.known(settings, None))


def unnamed(stand_ins: Any, results: Any, path: str = 'results') -> list[str]:
  """Paths of the results that the stand-ins lack or have as something else."""
  if isinstance(results, dict):
    found = []
    for name, value in results.items():
      try:
        own = stand_ins[name]
      except (KeyError, TypeError):
        found.append(f'{path}.{name}')
        continue
      found += unnamed(own, value, f'{path}.{name}')
    return found
  if isinstance(results, list):
    try:
      entries = [stand_ins[i] for i in range(len(results))]
    except (IndexError, KeyError, TypeError):
      return [path]
    return [
      where
      for i, own in enumerate(zip(entries, results))
      for where in unnamed(*own, f'{path}[{i}]')
    ]
  if results is None or not isinstance(stand_ins, (int, str, dict, list)):
    return []
  return (
    [] if isinstance(results, str) == isinstance(stand_ins, str) else [path]
  )


def missing(stand_ins: Any, results: Any, path: str = 'results') -> list[str]:
  """Paths of the stand-ins that the results lack; null has everything."""
  if isinstance(results, dict) and isinstance(stand_ins, dict):
    return [
      where
      for name, own in stand_ins.items()
      for where in (
        missing(own, results[name], f'{path}.{name}')
        if name in results
        else [f'{path}.{name}']
      )
    ]
  if isinstance(results, list) and isinstance(stand_ins, list):
    # Those of unknown length are made of a class of their own.
    if type(stand_ins) is list and len(results) != len(stand_ins):
      return [f'{path} has {len(results)} entries']
    return [
      where
      for i, own in enumerate(results)
      for where in missing(stand_ins[i], own, f'{path}[{i}]')
    ]
  return []
