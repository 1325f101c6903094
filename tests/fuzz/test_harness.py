"""The harness notices every kind of mistake, and lets what is right pass."""

import pytest

from fuzz import broken
from fuzz import harness
from fuzz import subjects


@pytest.mark.parametrize('kind', broken.SUBJECTS)
def test_a_broken_reader_is_noticed(kind: str, monkeypatch) -> None:
  if 'hung' in kind:
    monkeypatch.setattr(harness, 'SECONDS', 3)
  verdict = harness.try_one(kind, broken.command())
  assert kind.startswith(f'broken: {verdict.outcome} '), verdict
  assert not verdict.allowed


@pytest.mark.parametrize('kind', subjects.SUBJECTS)
def test_what_is_sound_is_accepted(kind: str) -> None:
  for given in subjects.SUBJECTS[kind].sound():
    assert harness.check(kind, given).outcome == 'accepted'


def test_a_failure_is_no_end() -> None:
  """The next input is tried in a new process."""
  crashes, raises = 'broken: crashed 0', 'broken: raised 0'
  for kind, outcome in ((crashes, 'crashed'), (raises, 'raised')) * 2:
    assert harness.try_one(kind, broken.command()).outcome == outcome
