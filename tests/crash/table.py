"""Kills commands everywhere and writes what came of it into `docs/proofs.md`.

PYTHONPATH=tests python -m crash.table [--seconds=600] [--seed=0] [NAME ...]

Seconds are those of each command, after which no new attempt begins. With
--json what was found is printed instead of written.
"""

import dataclasses
import json
import os
import sys

import proofs

from benchmarks import markdown
import crash

_HEAD = (
  *('command', 'operations', 'kills', 'different states'),
  *('gone on from', 'losses'),
)


def main(words: list[str]) -> int:
  """Returns 1 where anything was lost."""
  given = proofs.arguments(words, 600, 'names')
  # One core for all forks, so that programs are compiled once for it.
  os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
  found = {}
  with crash.prepared('crash_') as root:
    # pylint: disable=import-outside-toplevel
    from crash import kills
    from crash import subjects

    for called in given.names or subjects.SUBJECTS:
      found[called] = kills.search(
        subjects.SUBJECTS[called], root, given.seconds, given.seed
      )
      print(called, found[called], file=sys.stderr, flush=True)
  if given.json:
    print(json.dumps({n: dataclasses.asdict(t) for n, t in found.items()}))
  else:
    rows = [
      (name, t.operations, t.kills, t.states, t.resumed, len(t.losses))
      for name, t in found.items()
    ]
    markdown.put_rows(proofs.PAGE, 'kills', _HEAD, rows)
  return int(any(tally.losses for tally in found.values()))


if __name__ == '__main__':
  sys.exit(main(sys.argv[1:]))
