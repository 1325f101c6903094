"""Reading what `launch.prepare` wrote: a TFDS data set of array_record files.

The manifest lies beside the records as `metadata.json`, so that a study on
prepared data begins from the same candidates, in the same order and with the
same reasons, as one on the publisher's files. What reads the records comes with
the first image; it is the extra `prepared`, which Windows lacks.
"""

from collections.abc import Mapping, Sequence
import dataclasses
import importlib
import json
import pathlib
import threading
from typing import Any

from heterojax.datasets import array_records
from heterojax.datasets import classes
from heterojax.datasets import images
from heterojax.datasets import layout
from heterojax.datasets import sources
from heterojax.datasets.manifest import TASKS
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.run import run_folder

_PACKAGES = 'tensorflow_datasets', 'array_record.python.array_record_module'
INFO = array_records.INFO
METADATA = 'metadata.json'
_STORED, _DIGEST = {'cohort', 'records', 'unreadable'}, 'digest'
# A data set's folder is NAME/CLASSES/VERSION.
_DEPTH = '*/*/*'
# TFDS writes into a folder of this prefix and renames it at the end.
INCOMPLETE = 'incomplete.'
# Among them RecursionError, of what nests too deeply.
_NOT_AS_WRITTEN = (
  OSError,
  RuntimeError,
  LookupError,
  TypeError,
  ValueError,
  AttributeError,
)


@dataclasses.dataclass(frozen=True)
class Records:
  """Images of array_record files, looked up by their original path.

  Attributes:
    root: folder of the data set.
    places: (TFDS split, position in it) of each image.
    unreadable: of each path without an image, whether there was a file and why
      it could not be read when the data were prepared.
  """

  root: pathlib.Path
  places: Mapping[str, tuple[str, int]] = dataclasses.field(
    compare=False, repr=False
  )
  unreadable: Mapping[str, tuple[bool, str]] = dataclasses.field(
    compare=False, repr=False
  )
  _opened: dict[str, array_records.Split] = dataclasses.field(
    default_factory=dict, init=False, compare=False, repr=False
  )
  _lock: threading.Lock = dataclasses.field(
    default_factory=threading.Lock, init=False, compare=False, repr=False
  )

  @property
  def name(self) -> str:
    return str(self.root)

  def exists(self, path: str) -> bool:
    return path in self.places or self.unreadable.get(path, (False,))[0]

  def read(self, path: str) -> bytes:
    if path not in self.places:
      _, problem = self.unreadable.get(path, (False, 'file not found'))
      raise images.UnreadableImage(problem)
    split, position = self.places[path]
    records = self._split(split)
    try:
      own, image = records.read(position)
    # array_record raises whatever its C++ reader says.
    except Exception as error:  # pylint: disable=broad-except
      raise images.UnreadableImage(
        f'its record is damaged: {" ".join(str(error).split())[:200]}'
      ) from error
    if own != path:
      raise images.UnreadableImage('its record is of another image')
    return image

  def inspect(self, path: str) -> sources.Inspection:
    return sources.inspect_image(self, path)

  def _split(self, split: str) -> array_records.Split:
    with self._lock:
      if split not in self._opened:
        require()
        try:
          self._opened[split] = array_records.Split(self.root, split)
        except _NOT_AS_WRITTEN as error:
          raise UserError(_damaged(self.root, error)) from error
      return self._opened[split]


def find(path: pathlib.Path) -> list[pathlib.Path]:
  """Folders of complete data sets in `path`, which may itself be one."""
  if (path / INFO).is_file():
    return [path]
  folders = sorted(info.parent for info in path.glob(f'{_DEPTH}/{INFO}'))
  return [
    folder for folder in folders if not folder.name.startswith(INCOMPLETE)
  ]


def read(
  path: pathlib.Path, named: classes.Classes, incomplete: bool = False
) -> Cohort:
  """Reads a prepared data set.

  Args:
    path: what was given to `launch.prepare` as --out, or the folder of
      one data set in it.
    named: see `classes.Classes`; none where the data of one preparation are
      there, and none for a regression.
    incomplete: see `classes.merge`.

  Returns:
    The cohort that the publisher's files gave, on a `Records` source; a merged
    class is called as it is named.

  Raises:
    UserError: if no such classes were prepared, or several such, or it is
      damaged.
  """
  cohorts = [load(folder) for folder in find(path)]
  chosen = [c for c in cohorts if _are(c.classes, named, incomplete)]
  if len(chosen) == 1:
    return _called(chosen[0], named)
  pairs = [_against(c.classes) for c in chosen or cohorts]
  if chosen:
    raise UserError(
      f'{path} holds several prepared data sets, of {" and ".join(pairs)}:'
      ' name the classes, or give the folder of one, such as'
      f' {chosen[0].source.name}.'
    )
  what = _against(named) if any(named) else 'two classes'
  if named == classes.ALL:
    what = 'more than two classes'
  raise UserError(
    f'{path} holds no data prepared for {what},'
    f' only {" and ".join(pairs) or "none at all"}: prepare them with'
    ' python -m launch.prepare.'
  )


def _called(cohort: Cohort, named: classes.Classes) -> Cohort:
  """The cohort with its merged classes called as they are named."""
  if named == classes.ALL:
    return cohort
  new = {
    label: classes.merged_name(name)
    for label, name in zip(cohort.classes, named, strict=True)
    if classes.is_merged(label, name, incomplete=True)
  }
  if all(label == name for label, name in new.items()):
    return cohort
  return dataclasses.replace(
    cohort,
    classes=tuple(new.get(label, label) for label in cohort.classes),
    candidates=tuple(_renamed(c, new) for c in cohort.candidates),
    label_columns=(*dict.fromkeys((*cohort.label_columns, classes.LABEL)),),
  )


def _renamed(c: Candidate, new: Mapping[str, str]) -> Candidate:
  """The candidate with another name of its class; its own label stays."""
  columns = {classes.LABEL: c.label, **dict(c.columns)}
  label = new.get(c.label, c.label)
  return dataclasses.replace(c, label=label, columns=tuple(columns.items()))


def load(folder: pathlib.Path) -> Cohort:
  """The cohort in the folder of one data set.

  Raises:
    UserError: if it is damaged or not of this program.
  """
  if folder.name.startswith(INCOMPLETE):
    raise UserError(
      f'{folder} is what an interrupted run left: prepare the data again.'
    )
  try:
    stored = json.loads(layout.read_file(folder / METADATA))
    _check_digest(stored)
    fields = dict(stored['cohort'])
    candidates = tuple(
      Candidate(**{**c, 'columns': tuple(map(tuple, c['columns']))})
      for c in fields.pop('candidates')
    )
    paths = {c.id: c.path for c in candidates}
    places: dict[str, tuple[str, int]] = {}
    for split, ids in stored['records'].items():
      for position, i in enumerate(ids):
        places.setdefault(paths[i], (split, position))
    unreadable = {
      path: (bool(exists), str(problem))
      for path, (exists, problem) in stored['unreadable'].items()
    }
    for name, value in fields.items():
      if isinstance(value, list):
        fields[name] = tuple(value)
    cohort = Cohort(
      source=Records(folder, places, unreadable),
      candidates=candidates,
      **fields,
    )
    _check_types(cohort)
    return cohort
  except _NOT_AS_WRITTEN as error:
    raise UserError(_damaged(folder, error)) from error


def _are(
  labels: classes.Classes, named: classes.Classes, incomplete: bool
) -> bool:
  """Whether the prepared classes are those that the user named."""
  if named == classes.ALL:
    return len(labels) > 2
  return len(named) == len(labels) and all(
    label in (name, classes.merged_name(name))
    or classes.key(name) in ('', classes.key(label))
    or classes.is_merged(label, name, incomplete)
    for name, label in zip(named, labels, strict=True)
  )


def _against(labels: classes.Classes) -> str:
  return ' against '.join(map(repr, labels))


def _check_types(cohort: Cohort) -> None:
  """Raises something where a cohort holds what no reader gives."""
  ids = [c.id for c in cohort.candidates]
  if len(set(ids)) != len(ids):
    raise ValueError('it names a candidate twice')
  if not isinstance(cohort.classes, tuple):
    raise TypeError('its classes are no list')
  texts = [cohort.name, *cohort.classes, *cohort.notes]
  texts += cohort.label_columns
  for c in cohort.candidates:
    texts += [c.id, c.path, c.label, c.group, c.split, c.reason]
    for name, value in c.columns:
      texts += [name, value]
    if c.included is not (not c.reason):
      raise ValueError(f'whether {c.id!r} is included is not clear')
  for text in texts:
    if not isinstance(text, str):
      raise TypeError(f'{text!r} is not text')
    text.encode()  # Not all that JSON can write is.
  flags = cohort.named_splits, cohort.masks_are_left_out
  if cohort.task not in TASKS or not all(isinstance(f, bool) for f in flags):
    raise ValueError('its task, its splits or its masks are not known')


def written(
  cohort: Cohort,
  records: Mapping[str, Sequence[str]],
  unreadable: Mapping[str, tuple[bool, str]],
) -> dict[str, Any]:
  """What `METADATA` holds, as `load` reads it.

  Args:
    cohort: of the images.
    records: ids by TFDS split, in the order of their records.
    unreadable: see `Records`.
  """
  tree = {
    'cohort': as_json(cohort),
    'records': records,
    'unreadable': unreadable,
  }
  return {**tree, _DIGEST: run_folder.digest(tree)}


def _check_digest(tree: dict[str, Any]) -> None:
  """Raises a ValueError where something has changed since it was written."""
  rest = {name: value for name, value in tree.items() if name != _DIGEST}
  # Earlier versions wrote none.
  digest = run_folder.digest(rest)
  if rest.keys() != _STORED or tree.get(_DIGEST, digest) != digest:
    raise ValueError('it is not as it was written')


def as_json(cohort: Cohort) -> dict[str, Any]:
  """All of a cohort but its source and a second one, as `load` reads it."""
  other = 'source', 'external'
  fields = {k: v for k, v in vars(cohort).items() if k not in other}
  names = [field.name for field in dataclasses.fields(Candidate)]
  candidates = [{n: getattr(c, n) for n in names} for c in cohort.candidates]
  return {**fields, 'candidates': candidates}


def same(first: Cohort, second: Cohort) -> bool:
  """Whether two cohorts are equal but for where their images are kept."""
  second = dataclasses.replace(second, source=first.source)
  return first == second


def require() -> None:
  """Imports what records are written and read by, which takes a second.

  Raises:
    UserError: if the packages cannot be imported.
  """
  try:
    for name in _PACKAGES:
      importlib.import_module(name)
  except ImportError as error:
    raise UserError(
      'Images are prepared, and read where they were prepared, by'
      ' tensorflow-datasets and array-record, which cannot be imported'
      f' ({" ".join(str(error).split())}): install them with pip install'
      " 'heterojax[prepared]' on Linux or macOS (Windows has no array-record),"
      ' or give the images themselves as --config.data.dir.'
    ) from error


def _damaged(folder: pathlib.Path, error: Exception) -> str:
  said = ' '.join(f'{type(error).__name__}: {error}'.split())[:200].rstrip('.')
  return (
    f'{folder} is damaged or was not prepared by this program ({said}):'
    ' delete it and prepare the data again.'
  )
