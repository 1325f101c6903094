"""The answer as the last lines in a terminal."""

from collections.abc import Mapping
from typing import Any

from heterojax.studies.answer.records import FAIL
from heterojax.studies.answer.records import WARN


def lines(results: Mapping[str, Any]) -> list[str]:
  """The answer, that on a second data set, and conditions that are not met.

  Args:
    results: what `results.json` holds.

  Returns:
    Lines, failed conditions first; none for a study without an answer.
  """
  verdict = results.get('verdict')
  if verdict is None:
    return []
  shown = [verdict['sentence']]
  if external := results.get('external'):
    shown.append(external['sentence'])
  for state in (FAIL, WARN):
    shown += [
      f'{state.upper()} {condition["name"]}: {condition["sentence"]}'
      for condition in verdict['conditions']
      if condition['state'] == state
    ]
  return shown
