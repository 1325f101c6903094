"""The second data set of a retraining study, as another hospital's.

It is read and selected as the first one. An image that is in both is left out,
as heads may have learned it by heart.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import pathlib

from heterojax.datasets import classes
from heterojax.datasets import splits
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.datasets.sources import GivenFeatures
from heterojax.errors import UserError
from heterojax.report.formatting import listed
from heterojax.studies import partition
from heterojax.studies import stages
from heterojax.studies.settings import Settings

_FIRST, _OPTION = '--config.data.dir', '--config.data.external'
_DIGESTS = ('sha256', 'pixels_sha256')


def read(
  settings: Settings, cohorts: Sequence[Cohort], earlier: Inspections
) -> Cohort | None:
  """The second data set, with its images selected.

  Args:
    settings: of the study.
    cohorts: the first data set, or its files; with its images selected.
    earlier: see `selection.select`.

  Returns:
    It, with the classes of the first and without parts; where groups are known,
    each of its images is of one. None where none was asked for.

  Raises:
    UserError: if it cannot be read, has other classes or features, or no image
      of its own.
  """
  if not settings.data.external:
    return None
  path = pathlib.Path(settings.data.external).expanduser()
  first = cohorts[0]
  # Of two labels the user need not name both, nor the same two be there.
  named = settings.data.named
  if len(named) != len(first.classes):
    named = first.classes  # All of them.
  named = tuple(
    given or found for given, found in zip(named, first.classes, strict=True)
  )
  try:
    cohort = stages.read_path(
      _for_second(settings, path), path, named, incomplete=True
    )
  except UserError as error:  # Readers know the first data set's option.
    raise UserError(str(error).replace(_FIRST, _OPTION)) from error
  if cohort.classes != first.classes:
    raise UserError(
      f'{cohort.source.name} ({_OPTION}) has the classes'
      f' {listed(cohort.classes)}, and {first.source.name} has'
      f' {listed(first.classes)}: name labels that both have with'
      f' {classes.fields(first.classes)}.'
    )
  _check_features(first, cohort)
  cohort = _of_same_labels(first, cohort)
  distinct = settings.split.protocol == 'clean'
  cohort = stages.selected(settings, splits.unnamed(cohort), distinct, earlier)
  cohort = _without_shared(cohorts, cohort)
  if partition.column(settings.cluster):
    placed = partition.place(settings.cluster, cohorts, cohort)
    cohort = cohort.replaced({
      c.id: c.left_out(why)
      for c in cohort.included
      if isinstance(why := placed[c.id], str)
    })
    if not cohort.included:
      raise UserError(
        f'No image of {cohort.source.name} ({_OPTION}) is of a group of'
        f' --config.cluster.method={settings.cluster.method} that'
        f' {first.source.name} has: choose another column, or kmeans.'
      )
  notes = (
    *cohort.notes,
    *_lacking(first, cohort),
    *_namesakes(cohorts, cohort),
  )
  return dataclasses.replace(cohort, notes=notes)


def _for_second(settings: Settings, path: pathlib.Path) -> Settings:
  """The settings by which it is read: its images are never the first one's."""
  folder = path.parent / settings.data.images
  data = dataclasses.replace(
    settings.data,
    # A folder beside the table, as the first data set has one; else its own.
    images=str(folder)
    if settings.data.images
    and not pathlib.Path(settings.data.images).is_absolute()
    and folder.is_dir()
    else '',
  )
  return dataclasses.replace(settings, data=data)


def _of_same_labels(first: Cohort, second: Cohort) -> Cohort:
  """The second data set without labels that are in no class of the first.

  What is `rest` there may be another disease here.
  """
  known = {(c.label, _own_label(c)) for c in first.candidates}
  changed = {
    c.id: c.left_out(f'the first data set has no label {_own_label(c)!r}')
    for c in second.included
    if (c.label, _own_label(c)) not in known
  }
  if not changed:
    return second
  labels = ', '.join(
    sorted({_own_label(c) for c in second.included if c.id in changed})
  )
  note = (
    f'{len(changed):,} images of the second data set are left out, as the first'
    f' has no such label in their class: {labels}.'
  )
  told = [_of_the_rest(second, changed, note) for note in second.notes]
  return dataclasses.replace(second.replaced(changed), notes=(*told, note))


def _of_the_rest(
  second: Cohort, changed: Mapping[str, Candidate], note: str
) -> str:
  """What a class is made of, without the images that are left out."""
  for name in second.classes:
    if note.startswith(classes.made_of(name, {}).removesuffix('.')):
      own = [c for c in second.included if c.label == name]
      left = Counter(_own_label(c) for c in own if c.id not in changed)
      order = sorted(left, key=lambda label: (len(label), label))
      return classes.made_of(name, {label: left[label] for label in order})
  return note


def _lacking(first: Cohort, second: Cohort) -> Iterator[str]:
  """Sentences on classes of several labels, of which the second lacks some."""
  for label in first.classes:
    own, other = (
      {_own_label(c) for c in cohort.included if c.label == label}
      for cohort in (first, second)
    )
    if lacking := sorted(own - other, key=lambda name: (len(name), name)):
      several = len(lacking) > 1
      yield (
        f'No image of the second data set that is used has the'
        f' label{"s" * several} {", ".join(lacking)}, of which the class'
        f' {label!r} of the first is made as well.'
      )


def _own_label(c: Candidate) -> str:
  """The label that a data set gives, before several are merged."""
  return dict(c.columns).get(classes.LABEL, c.label)


def shared(cohorts: Sequence[Cohort], others: Sequence[Cohort]) -> set[str]:
  """Ids of the images of a data set, in all folds, that another has too."""
  known = {
    digest
    for cohort in others
    for c in cohort.candidates
    for digest in _digests(c)
  }
  return {
    c.id
    for cohort in cohorts
    for c in cohort.candidates
    if not known.isdisjoint(_digests(c))
  }


def _check_features(first: Cohort, second: Cohort) -> None:
  """Raises a UserError where given features are not the same ones."""
  a, b = first.source, second.source
  if not isinstance(a, GivenFeatures) or not isinstance(b, GivenFeatures):
    return
  widths = a.matrix.shape[1], b.matrix.shape[1]
  if widths[0] != widths[1]:
    raise UserError(
      f'{a.name} has {widths[0]} features and {b.name} ({_OPTION}) has'
      f' {widths[1]}: both must have the same ones.'
    )
  for i, (own, other) in enumerate(zip(a.features, b.features, strict=False)):
    if own != other:
      raise UserError(
        f'Feature {i + 1} of {a.name} is {own!r} and that of {b.name}'
        f' ({_OPTION}) is {other!r}: write both with the same columns, in one'
        ' order.'
      )


def _without_shared(first: Sequence[Cohort], second: Cohort) -> Cohort:
  """The second data set without the images of the first, and a note on them."""
  known: dict[tuple[str, str], Candidate] = {}
  for cohort in first:
    for c in cohort.candidates:
      for digest in _digests(c):
        known.setdefault(digest, c)
  shared = {
    c.id: (c, known[digest])
    for c in second.included
    for digest in _digests(c)
    if digest in known
  }
  if not shared:
    return second
  if len(shared) == len(second.included):
    raise UserError(
      f'All {len(shared)} images of {second.source.name} ({_OPTION}) are in'
      f' {first[0].source.name} as well: name another data set.'
    )
  c, other = next(iter(shared.values()))
  several = len(shared) > 1
  note = (
    f'{len(shared):,} {"images are" if several else "image is"} in the first'
    f' data set as well, and left out{", such as" if several else ":"} {c.id}'
    f' ({other.id} there).'
  )
  second = second.replaced({
    i: c.left_out(f'same image as {other.id} of the first data set')
    for i, (c, other) in shared.items()
  })
  return dataclasses.replace(second, notes=(*second.notes, note))


def _digests(c: Candidate) -> list[tuple[str, str]]:
  return [(name, value) for name, value in c.columns if name in _DIGESTS]


def _namesakes(first: Sequence[Cohort], second: Cohort) -> Iterator[str]:
  """A sentence on patients that are called alike in both."""
  known = {c.group for cohort in first for c in cohort.included} - {''}
  both = known & {c.group for c in second.included}
  if both:
    yield (
      f'{len(both):,} patients or groups of the second data set have names that'
      f' the first has too, such as {min(both)}: they are taken for others.'
    )
