"""The names of all that a run writes into its folder."""

import re

SEAL = 'artifacts.json'
LOCK = '.lock'
LOG = 'log.txt'
INSPECTED = 'inspected.jsonl'  # See `heterojax.datasets.inspections`.
BEGUN = 'begun.json'
INPUT = 'input'  # Data that were in memory, see `heterojax.api`.
# What a run is told by.
TELLING = 'config.json', 'environment.json'
FILES = (
  *TELLING,
  INSPECTED,
  BEGUN,
  'manifest.csv',
  'augmented.csv',
  'clusters.csv',
  'external.csv',
  'results.json',
  'view.npz',
  'report.html',
)
FOLDERS = (
  *('tables', 'figures', 'features', 'checkpoints', 'cohort'),
  INPUT,
)
# What starts leave that end before `config.json` is there.
LEFT = (INSPECTED, BEGUN, 'cohort', 'features')
# What may change after a run: its log, traces, comparisons and exports.
NO_ARTIFACTS = (SEAL, LOCK, LOG, 'profile', 'comparison', 'export')
# All of it.
WRITTEN = frozenset((*FILES, *FOLDERS, *NO_ARTIFACTS))
# As `atomic.write` names a file that is not whole yet.
_UNFINISHED = re.compile(r'\.(.+)\.[0-9a-f]{16}')


def belongs(name: str) -> bool:
  """Whether a path is one that a run gives an artifact."""
  parts = name.split('/')
  if len(parts) == 1:
    return name in FILES
  return parts[0] in FOLDERS and not {'', '.', '..'} & set(parts)


def is_unfinished(name: str) -> bool:
  """Whether it is that of an artifact, or of the seal, that is not whole."""
  within, slash, last = name.rpartition('/')
  match = _UNFINISHED.fullmatch(last)
  if not match:
    return False
  whole = within + slash + match[1]
  return whole == SEAL or belongs(whole)
