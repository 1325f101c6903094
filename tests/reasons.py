"""The contract's rule of nulls: what cannot be estimated says why."""

from collections.abc import Iterator
from typing import Any


def nulls_without_reason(tree: dict[str, Any], path: str = '') -> list[str]:
  """Paths of every null, in lists too, without a `<name>_why` beside it.

  The ends of an interval are null where the metric is, which says why.

  Args:
    tree: `results.json`, or a part of it.
    path: of that part.

  Returns:
    The paths, `[]` for any entry of a list.
  """
  found = []
  for name, value in tree.items():
    if name == 'intervals':
      found += [
        f'{path}.{name}.{metric}'
        for metric, ends in value.items()
        if ends is None and not tree.get(f'{metric}_why')
      ]
      continue
    children = list(_leaves(value))
    if None in children and not tree.get(f'{name}_why'):
      found.append(f'{path}.{name}')
    for child in children:
      if isinstance(child, dict):
        found += nulls_without_reason(child, f'{path}.{name}')
  return found


def _leaves(value: Any) -> Iterator[Any]:
  """What a value holds when lists, however deep, are opened."""
  if not isinstance(value, list):
    yield value
    return
  for child in value:
    yield from _leaves(child)
