"""Features in shards, which many processes compute and one joins.

A plan's blocks are divided over N shards, each a run of them in a folder of its
own: its rows, their digests, and a record that is written last. What a shard
holds depends on the plan alone, so that a lost one is computed again to the
same bits, and all of them together are the file of one process.
"""

from collections.abc import Sequence
import logging
import pathlib
import shutil
from typing import Any, NamedTuple

import numpy as np

from heterojax.errors import UserError
from heterojax.features import Plan
from heterojax.features import extract
from heterojax.features.store import Store
from heterojax.run import atomic
from heterojax.run import run_folder

_LOG = logging.getLogger(__name__)
FOLDER = 'shards'
# What is kept of them once they are joined.
RECORDS = 'shards.json'
_PLAN, _RECORD = 'plan.json', 'shard.json'
# Of what the first of them is.
_KINDS = {'plan': str, 'shards': int, 'images': int, 'environment': dict}
_MOST = 10**6  # Shards: each one is looked for.
# Features do not depend on it.
_MAY_DIFFER = 'cores'


class Shard(NamedTuple):
  """One of `count` shards, numbered from 0."""

  index: int
  count: int

  def __str__(self) -> str:
    return f'{self.index}/{self.count}'

  def folder(self, features: pathlib.Path) -> pathlib.Path:
    """Where it is, in the folder of all features."""
    return features / FOLDER / f'{self.index}-of-{self.count}'


def every(count: int) -> tuple[Shard, ...]:
  """All shards, in order."""
  return tuple(Shard(index, count) for index in range(count))


def begun(features: pathlib.Path) -> dict[str, Any] | None:
  """What `begin` wrote; None before, and after the shards were joined."""
  path = features / FOLDER / _PLAN
  try:
    record = _read(path)
  except FileNotFoundError:
    return None
  kinds = {name: type(value) for name, value in record.items()}
  if kinds != _KINDS or not 1 <= record['shards'] <= _MOST:
    raise _unreadable(path)
  return record


def begin(
  plan: Plan, features: pathlib.Path, count: int, environment: dict[str, Any]
) -> None:
  """Writes which plan is divided over how many shards.

  Args:
    plan: of all features.
    features: their folder.
    count: N.
    environment: that all shards are to be computed in.
  """
  record = {
    'plan': plan.digest,
    'shards': count,
    'images': len(plan.pictures),
    'environment': environment,
  }
  path = features / FOLDER / _PLAN
  atomic.write(path, run_folder.to_json(record))


def check_count(features: pathlib.Path, count: int) -> None:
  """Raises a UserError where there are more shards, or fewer."""
  record = begun(features)
  if record and record['shards'] != count:
    raise UserError(
      f'{features / FOLDER} was begun with {record["shards"]} shards, not'
      f' {count}: give --shard=I/{record["shards"]}, or delete that folder.'
    )


def check(plan: Plan, features: pathlib.Path) -> None:
  """Raises a UserError where the shards there are of another plan."""
  record = begun(features)
  if record and record['plan'] != plan.digest:
    raise UserError(
      f'{features / FOLDER} was begun with other images, weights or settings,'
      ' of which features.batch_size is one: put back what has changed, or'
      ' delete that folder.'
    )


def are_joined(plan: Plan, features: pathlib.Path) -> bool:
  """Whether all features are there, as one process leaves them."""
  store = plan.store(features)
  return store.find() and store.is_whole


def check_environment(
  features: pathlib.Path, environment: dict[str, Any]
) -> None:
  """Raises a RefusedError where shards were begun in another environment."""
  record = begun(features)
  if record is not None:
    before, now = (
      {k: v for k, v in e.items() if k != _MAY_DIFFER}
      for e in (record['environment'], environment)
    )
    run_folder.check_environment(features / FOLDER, before, now)


def extract_shard(
  plan: Plan,
  features: pathlib.Path,
  shard: Shard,
  environment: dict[str, Any],
) -> int:
  """Computes what one shard does not hold yet.

  Args:
    plan: of all features.
    features: their folder.
    shard: which of them.
    environment: of this process, for its record.

  Returns:
    The number of its images.

  Raises:
    RefusedError: if another process computes it.
    UserError: if a picture cannot be read any more.
  """
  blocks = _blocks(plan.store(features), shard)
  rows = slice(blocks[0].start, blocks[-1].stop) if blocks else slice(0, 0)
  own = shard.folder(features)
  with run_folder.locked(own, f'folder of shard {shard}', 'workdir'):
    found = None
    if blocks:
      found = extract(_part(plan, shard, rows), own).digest
    record = {
      'shard': str(shard),
      'plan': plan.digest,
      'rows': [rows.start, rows.stop],
      'digest': found,
      'environment': environment,
    }
    atomic.write(own / _RECORD, run_folder.to_json(record))
  return rows.stop - rows.start


def join(plan: Plan, features: pathlib.Path) -> None:
  """Makes the features of one process of all shards; without any, nothing.

  What is joined stays joined, should it be interrupted. In the end the shards
  are taken away, and `shards.json` keeps their records.

  Args:
    plan: of all features.
    features: their folder, owned.

  Raises:
    UserError: if shards are missing, damaged or of another plan.
  """
  record = begun(features)
  if record is None:
    clear(features)  # Of some that were joined and not taken away.
    return
  check(plan, features)
  shards = every(record['shards'])
  records = _records(plan, features, shards)
  store = plan.store(features)
  store.open()
  missing = store.missing()
  _LOG.info('Joining %d shards of features.', len(shards))
  for shard in shards:
    blocks = _blocks(store, shard)
    if not blocks:
      continue
    rows = slice(blocks[0].start, blocks[-1].stop)
    own = _part(plan, shard, rows).store(shard.folder(features))
    if not own.find():
      raise _damaged(features, shard)
    for whole, part in zip(blocks, own.blocks, strict=True):
      if whole not in missing:
        continue
      if (values := own.read(part)) is None:
        raise _damaged(features, shard)
      store.write(whole, values)
  store.close()
  store.keep()
  atomic.write(features / RECORDS, run_folder.to_json({'shards': records}))
  (features / FOLDER / _PLAN).unlink()
  clear(features)


def clear(features: pathlib.Path) -> None:
  """Takes away what is left of shards that were joined."""
  shutil.rmtree(features / FOLDER, ignore_errors=True)


def _blocks(store: Store, shard: Shard) -> list[slice]:
  """Those of a shard; some have one more than others."""
  parts = np.array_split(np.arange(len(store.blocks)), shard.count)
  return [store.blocks[i] for i in parts[shard.index]]


def _part(plan: Plan, shard: Shard, rows: slice) -> Plan:
  """The plan of a shard's rows, run by the program of all."""
  return Plan(
    plan.backbone,
    plan.source,
    plan.pictures[rows],
    plan.extraction,
    [plan.digest, str(shard)],
    plan.compiled_for or len(plan.pictures),
  )


def _records(
  plan: Plan, features: pathlib.Path, shards: Sequence[Shard]
) -> list[dict[str, Any]]:
  """Those of all shards; a UserError where one is missing, or of others."""
  path, records, missing = features / FOLDER, [], []
  for shard in shards:
    try:
      records.append(_read(shard.folder(features) / _RECORD))
    except FileNotFoundError:
      missing.append(str(shard))
      continue
    if records[-1].get('plan') != plan.digest:
      raise UserError(
        f'Shard {shard} in {path} is of another plan: compute it again with'
        f' --shard={shard}.'
      )
  if missing:
    more = f' and {len(missing) - 5} more' if len(missing) > 5 else ''
    raise UserError(
      f'{path} lacks the shards {", ".join(missing[:5])}{more} of'
      f' {len(shards)}: compute them with --shard={missing[0]} and so on, or'
      ' delete that folder, and one process computes all.'
    )
  return records


def _read(path: pathlib.Path) -> dict[str, Any]:
  try:
    return run_folder.read_json(path)
  except ValueError as error:
    raise _unreadable(path) from error


def _unreadable(path: pathlib.Path) -> UserError:
  return UserError(
    f'{path} is damaged: delete it, and give the command of its shard again.'
  )


def _damaged(features: pathlib.Path, shard: Shard) -> UserError:
  return UserError(
    f'Shard {shard} in {features / FOLDER} is damaged: mend it with'
    f' --shard={shard}.'
  )
