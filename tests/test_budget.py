"""What `verdict.seconds` allows, of which no clock knows."""

import pytest

from heterojax.studies.answer import budget
from heterojax.studies.answer.measure import Draws
from heterojax.studies.settings import Verdict


def _verdict(seconds: int, worlds: int = 199) -> Verdict:
  return Verdict(worlds, 199, 9999, seconds)


def test_all_are_made_where_they_fit() -> None:
  every = Draws(199, 199, 9999)
  assert budget.within(_verdict(3600), 480, 1280, 0, 4) == every
  assert budget.within(_verdict(3600), 1500, 62720, 4, 4) == every
  assert budget.within(_verdict(0), 10**6, 1280, 0, 4) == every


@pytest.mark.parametrize('folds', [0, 4])
def test_fewer_are_made_where_they_do_not(folds: int) -> None:
  found = [
    budget.within(_verdict(seconds), 5000, 1280, folds, 4)
    for seconds in (400, 300, 200)
  ]
  worlds = [own.worlds for own in found if isinstance(own, Draws)]
  assert worlds and worlds == sorted(worlds, reverse=True)
  for own in found:
    if isinstance(own, Draws):
      assert own.worlds >= 59 and (own.worlds + 1) % 20 == 0
      assert own.exchanges == 9999


def test_too_few_are_none() -> None:
  found = budget.within(_verdict(60), 100_000, 1280, 0, 4)
  assert isinstance(found, str)
  assert 'verdict.seconds=60' in found and '100,000 images' in found


def test_few_that_were_asked_for_are_made() -> None:
  """A user who wants 19 worlds gets no reason why 59 are needed."""
  found = budget.within(_verdict(3600, worlds=19), 480, 1280, 0, 4)
  assert found == Draws(19, 199, 9999)
