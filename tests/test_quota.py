"""Cores by quota, from made-up files as the kernel writes them."""

import os
import pathlib
import subprocess
import sys

import control_groups
import pytest

from heterojax.compute import cores
from heterojax.compute import quota

_OF_64 = tuple(range(64))


@pytest.mark.parametrize(
  ('files', 'membership', 'want'),
  [
    # A pod sees its own group as the root.
    ({'cpu.max': '200000 100000\n'}, '0::/\n', 2),
    ({'cpu.max': 'max 100000\n'}, '0::/\n', None),
    # A begun core counts; less than one is one.
    ({'cpu.max': '150000 100000\n'}, '0::/\n', 2),
    ({'cpu.max': '5000 100000\n'}, '0::/\n', 1),
    ({'cpu.max': '120000 50000\n'}, '0::/\n', 3),
    # The tightest of all groups above counts.
    (
      {
        'a/b/cpu.max': 'max 100000\n',
        'a/cpu.max': '300000 100000\n',
        'cpu.max': '800000 100000\n',
      },
      '0::/a/b\n',
      3,
    ),
    # Version 1, its controllers under either name; -1 is no quota.
    (
      {
        'cpu,cpuacct/job/cpu.cfs_quota_us': '400000\n',
        'cpu,cpuacct/job/cpu.cfs_period_us': '100000\n',
      },
      '4:memory:/job\n3:cpu,cpuacct:/job\n',
      4,
    ),
    # In a container the path is the host's, and the mount is the group.
    (
      {'cpu/cpu.cfs_quota_us': '50000', 'cpu/cpu.cfs_period_us': '100000'},
      '3:cpu,cpuacct:/docker/0a1b\n',
      1,
    ),
    (
      {'cpu/cpu.cfs_quota_us': '-1', 'cpu/cpu.cfs_period_us': '100000'},
      '3:cpu:/\n0::/\n',
      None,
    ),
    ({}, '1:name=systemd:/\n0::/user.slice\n', None),
    ({}, '', None),
  ],
)
def test_the_smallest_quota(
  tmp_path: pathlib.Path,
  files: dict[str, str],
  membership: str,
  want: int | None,
) -> None:
  control_groups.write(tmp_path, files)
  assert quota.cores(tmp_path, membership) == want


@pytest.mark.parametrize(
  ('allowed', 'of_group', 'want'),
  [(_OF_64, 2, 2), ((3, 5), 8, 2), ((3, 5), None, 2), (_OF_64, None, 64)],
)
def test_affinity_and_quota_both_count(
  monkeypatch: pytest.MonkeyPatch,
  allowed: tuple[int, ...],
  of_group: int | None,
  want: int,
) -> None:
  monkeypatch.setattr(quota, 'allowed', lambda: allowed)
  monkeypatch.setattr(quota, '_here', lambda: of_group)
  assert quota.number() == want
  assert cores.number() == want
  assert cores.numbers() == allowed[:want]


def test_a_client_for_each_core_of_the_quota(
  monkeypatch: pytest.MonkeyPatch,
) -> None:
  first = quota.allowed()[:2]
  rest = (i for i in range(64) if i not in first)
  monkeypatch.setattr(quota, 'allowed', lambda: (*first, *rest))
  monkeypatch.setattr(quota, '_here', lambda: len(first))
  assert len(cores.devices()) == len({*cores.devices()}) == len(first)


def test_this_process() -> None:
  """Where nothing is limited it is what the system says."""
  assert 1 <= quota.number() <= len(os.sched_getaffinity(0))


_CLIENTS = """
import os
from heterojax.compute import cores, quota
quota._here = lambda: 1
made = cores.devices()
assert len(made) == 1, made
bound = [
  task for task in os.listdir('/proc/self/task')
  if len(os.sched_getaffinity(int(task))) < len(os.sched_getaffinity(0))
]
print(len(bound))
"""


@pytest.mark.medium
@pytest.mark.skipif(quota.number() < 2, reason='needs two cores')
def test_a_program_under_a_quota_stays_on_no_core() -> None:
  """Others with the same quota would have chosen the same core."""
  done = subprocess.run(
    [sys.executable, '-c', _CLIENTS],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout == '0\n'
