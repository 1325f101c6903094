"""SIGKILL at random moments of every stage: the same run in the end."""

import collections
import pathlib

from conftest import SHARED
import pytest

from faults import runs

Survived = collections.Counter[tuple[str, str]]

_DEMO = ('--config=demo:tiny', '--config.data.num_images=400')
_SIZES = (
  '--config=bone_age:demo,tiny',
  '--config.backbone.train=full',
  '--config.fine_tuning.epochs=4',
)
_FUNDUS = (
  '--config=fundus',
  f'--config.data.dir={SHARED / "data" / "odir5k"}',
  '--config.backbone.name=efficientnet_lite0',
)


def _survives(
  arguments: tuple[str, ...],
  plan: dict[str, list[float]],
  tmp_path: pathlib.Path,
  survived: Survived,
) -> None:
  """Each stage is killed at these moments, and what is finished stays so.

  When a folder's stage ends before its moment, another folder begins anew.
  """
  whole = tmp_path / 'whole'
  runs.finish(arguments, whole)
  want, folder, number = runs.described(whole), tmp_path / 'killed0', 0
  for stage, moments in plan.items():
    for seconds in moments:
      before = runs.finished(folder)
      found = runs.kill_in(arguments, folder, stage, seconds)
      if found is None:  # It went to its end.
        assert runs.described(folder) == want
        number += 1
        folder = tmp_path / f'killed{number}'
        found = runs.kill_in(arguments, folder, stage, seconds / 4)
        assert found is not None, f'{stage} is over after {seconds / 4} s'
        before = {}
      after = runs.finished(folder)
      for name, done in before.items():
        if name == 'blocks':
          assert after[name] >= done
        elif name.startswith('epochs of '):
          # Its training may be over, and then has a checkpoint.
          job = name.removeprefix('epochs of ')
          assert after.get(name, 0) >= done or job in after
        else:
          assert after[name] == done, f'{name} was written again'
      survived['kills in', found.lower()] += 1
  kept = runs.finished(folder)
  log = runs.finish(arguments, folder)
  if kept['blocks']:
    assert 'Resuming: ' in log
  assert runs.described(folder) == want


def test_a_study(tmp_path: pathlib.Path, survived: Survived) -> None:
  plan = {
    'Data': runs.moments(0, 4, 1.0),
    'Features': runs.moments(1, 10, 2.0),
    'Clusters': runs.moments(2, 5, 0.5),
    'Heads': runs.moments(3, 6, 1.0),
    'Evaluation': runs.moments(4, 6, 2.0),
  }
  _survives(_DEMO, plan, tmp_path, survived)


def test_fine_tuning(tmp_path: pathlib.Path, survived: Survived) -> None:
  plan = {
    'Training': runs.moments(5, 12, 20.0),
    'Clusters': runs.moments(6, 3, 0.5),
    'Evaluation': runs.moments(7, 3, 0.5),
  }
  _survives(_SIZES, plan, tmp_path, survived)


@pytest.mark.skipif(not SHARED.exists(), reason='needs the shared images')
def test_real_images(tmp_path: pathlib.Path, survived: Survived) -> None:
  plan = {
    'Data': runs.moments(8, 3, 3.0),
    'Features': runs.moments(9, 6, 8.0),
    'Clusters': runs.moments(10, 3, 1.0),
    'Heads': runs.moments(11, 3, 1.0),
    'Evaluation': runs.moments(12, 3, 3.0),
  }
  _survives(_FUNDUS, plan, tmp_path, survived)
