"""Folders of classes: which class and which named part a file is of.

The class is a folder's name. Folders called train, val or test (see
`parts.word`) lie above or below it, as TensorFlow Datasets' ImageFolder,
Keras and Hugging Face have them, or fold_0, fold_1, ..., and never are classes;
nor are folders called images. Files are told by their content where their
ending says nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
import itertools
import pathlib
import posixpath
from typing import NamedTuple

from heterojax.datasets import classes
from heterojax.datasets import content
from heterojax.datasets import folder_parts
from heterojax.datasets import images
from heterojax.datasets import layout
from heterojax.datasets import masks
from heterojax.datasets.manifest import Candidate

NO_CLASS = 'in no class folder'


class Found(NamedTuple):
  """The files of a folder.

  Attributes:
    candidates: every file below a class folder, and every image that is in
      none; in the order of their paths.
    notes: what was left out and how names were read, as sentences.
  """

  candidates: tuple[Candidate, ...]
  notes: tuple[str, ...]

  @property
  def labels(self) -> set[str]:
    """The labels of the images that are used."""
    return {c.label for c in self.candidates if c.included}


class _Place(NamedTuple):
  """What the folders above a file say of it; '' where they say nothing."""

  label: str = ''
  splits: tuple[str, ...] = ()  # The outermost first.
  folds: tuple[str, ...] = ()
  inner: tuple[str, ...] = ()  # Folders between the class and the file.
  is_mask: bool = False


def read(
  tree: layout.Tree, named: Iterable[str] = (), with_masks: bool = False
) -> Found:
  """Finds the images of all classes.

  Args:
    tree: of the folder.
    named: labels that are asked for, whatever a folder of that name seems.
    with_masks: whether what is called a mask is used as well.

  Returns:
    The candidates; what is no image, or a mask by its name, is left out.
  """
  reader = _Reader(tree, frozenset(map(classes.composed, named)), with_masks)
  # A folder that is named like an image and holds nothing stays in: inspecting
  # it tells why it cannot be used.
  names = [n for n in tree.folders if _has_ending(n) and _is_empty(tree, n)]
  for inner, files in tree.folders.items():
    names += [posixpath.join(inner, name) for name in files]
  candidates = [c for name in sorted(names) if (c := reader.candidate(name))]
  candidates = reader.without_masks(candidates)
  candidates, notes = folder_parts.with_parts(
    candidates, {c.id: reader.fold(c) for c in candidates}
  )
  return Found(
    tuple(candidates),
    (*tree.notes, *reader.notes(candidates), *notes),
  )


def _has_ending(name: str) -> bool:
  """Whether a file is a candidate, a broken one if it holds no image."""
  return name.lower().endswith(content.ENDINGS)


def _is_empty(tree: layout.Tree, folder: str) -> bool:
  inside = any(name.startswith(f'{folder}/') for name in tree.folders)
  return not tree.folders[folder] and not inside


class _Reader:
  """Reads names in one tree."""

  def __init__(
    self, tree: layout.Tree, named: frozenset[str], with_masks: bool
  ):
    self._tree, self._named, self._with_masks = tree, named, with_masks
    self._below: dict[str, list[str]] = {}
    for folder in filter(None, tree.folders):
      above, name = posixpath.split(folder)
      self._below.setdefault(above, []).append(name)
    self._top = self._unwrapped()
    self._places: dict[str, _Place] = {}
    self._others: list[str] = []  # Files of no class that are no pictures.

  def _unwrapped(self) -> str:
    """The folder of the parts, where it lies in others alone."""
    top = ''
    while not self._holds_parts(top):
      inner = self._below.get(top, ())
      if len(inner) != 1:
        return ''
      top = posixpath.join(top, inner[0])
    return top

  def _holds_parts(self, folder: str) -> bool:
    """Whether there are folders of parts in it with classes in them."""
    return any(
      self._holds_classes(posixpath.join(folder, part))
      for part in self._below.get(folder, ())
      if self._part(folder, part) or self._fold(folder, part)
    )

  def _holds_classes(self, folder: str) -> bool:
    """Whether a class is in it, or in folders of parts in it."""
    return any(
      self._holds_classes(posixpath.join(folder, name))
      if folder_parts.is_part(name)
      else not masks.said(name)
      for name in self._below.get(folder, ())
    )

  def _holds_folds(self, folder: str) -> bool:
    """Whether it is called as one of folds, which have classes in them."""
    inside = self._below.get(folder, ())
    return folder_parts.holds_folds(posixpath.basename(folder), inside) and any(
      self._holds_classes(posixpath.join(folder, name)) for name in inside
    )

  def place(self, folder: str) -> _Place:
    """What the path of a folder says."""
    if folder not in self._places:
      self._places[folder] = self._place(folder)
    return self._places[folder]

  def _place(self, folder: str) -> _Place:
    above, is_mask = self._top, False
    splits: list[str] = []
    folds: list[str] = []
    if above and not f'{folder}/'.startswith(f'{above}/'):
      return _Place()
    names = [*filter(None, folder[len(above) :].split('/'))]
    for depth, name in enumerate(names):
      asked_for = classes.composed(name) in self._named
      part, fold = self._part(above, name), self._fold(above, name)
      of_masks = not asked_for and self._is_of_masks(above, name)
      plain = not asked_for and (
        folder_parts.is_plain(name)
        or self._holds_folds(posixpath.join(above, name))
      )
      if not (part or fold or of_masks or plain):
        inner = names[depth + 1 :]
        below = [*itertools.takewhile(folder_parts.is_part, inner)]
        splits += map(folder_parts.split, below)
        folds += map(folder_parts.fold, below)
        return _Place(
          classes.composed(name),
          _distinct(splits),
          _distinct(folds),
          tuple(inner),
          is_mask,
        )
      splits, folds = [*splits, part], [*folds, fold]
      is_mask = is_mask or of_masks
      above = posixpath.join(above, name)
    return _Place('', _distinct(splits), _distinct(folds), (), is_mask)

  def _fold(self, above: str, name: str) -> str:
    """The fold that a folder in the place of a class names; '' if none."""
    if self._holds_folds(posixpath.join(above, name)):  # As 5-fold.
      return ''
    read = folder_parts.fold
    if self._holds_folds(above):
      read = folder_parts.numbered
    # What is called like a class that is asked for may be one.
    alike = filter(read, self._below.get(above, ()))
    if not self._named.isdisjoint(map(classes.composed, alike)):
      return ''
    return read(name)

  def fold(self, candidate: Candidate) -> str:
    """The fold that the folders of a file name; '' if none."""
    return ''.join(self.place(posixpath.dirname(candidate.path)).folds[:1])

  def _part(self, above: str, name: str) -> str:
    """The split that a folder in the place of a class names; '' if none."""
    if part := folder_parts.split(name):
      return part
    # As seg_train and seg_test, with classes in them.
    part, others = folder_parts.split_and_others(name)
    inside = self._classes_in(above, name)
    if not (part and inside):
      return ''
    for other in self._below[above]:
      split, words = folder_parts.split_and_others(other)
      # Or as train and external_test, with the same classes in them.
      if split not in ('', part) and (
        words == others or inside & self._classes_in(above, other)
      ):
        return part
    return ''

  def _classes_in(self, above: str, name: str) -> set[str]:
    """The folders in a folder."""
    inside = self._below.get(posixpath.join(above, name), ())
    return {n for n in inside if not folder_parts.is_plain(n)}

  def _is_of_masks(self, above: str, name: str) -> bool:
    """Whether a folder in the place of a class holds the masks of others."""
    if self._with_masks or not masks.said(name):
      return False
    if masks.words(name) - masks.said(name) - folder_parts.PLAIN:
      return False
    others = [n for n in self._below[above] if not masks.said(n)]
    return len(others) > 1 or any(map(folder_parts.is_plain, others))

  def candidate(self, name: str) -> Candidate | None:
    """A file as a candidate; None where it has no class and is no picture."""
    place = self.place(posixpath.dirname(name))
    problem = '' if _has_ending(name) else _problem(self._tree.root / name)
    if problem and not place.label:
      self._others.append(_utf8(name))
      return None
    shown, label = _utf8(name), _utf8(place.label)
    if not problem and shown != name:
      problem = 'the file name is not UTF-8'
    elif not problem and place.is_mask:
      problem = masks.BY_NAME
    elif not problem and not label:
      problem = NO_CLASS
    candidate = Candidate(shown, shown, label, '', ''.join(place.splits[:1]))
    return candidate.left_out(problem) if problem else candidate

  def without_masks(self, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Leaves out what is called a mask, unless all images of a class are."""
    if self._with_masks:
      return list(candidates)
    called = {c.id for c in candidates if c.included and self._is_mask(c)}
    others = {c.label for c in candidates if c.included and c.id not in called}
    return [
      c.left_out(masks.BY_NAME) if c.id in called and c.label in others else c
      for c in candidates
    ]

  def _is_mask(self, candidate: Candidate) -> bool:
    folder, file = posixpath.split(candidate.path)
    names = (*self.place(folder).inner, posixpath.splitext(file)[0])
    own = masks.said(candidate.label)
    return any(masks.said(name) - own for name in names)

  def notes(self, candidates: Sequence[Candidate]) -> Iterator[str]:
    """Sentences on what is not used."""
    if self._top:
      yield f'The parts and their classes are the folders of {self._top}.'
    root, reasons = self._tree.root, Counter(c.reason for c in candidates)
    if outside := reasons.pop(NO_CLASS, 0):
      yield f'{outside:,} images of {root} lie in no class folder.'
    if n := reasons.pop(masks.BY_NAME, 0):
      yield (
        f'{n:,} pictures are called mask, segmentation, label or annotation,'
        ' and are left out (--config.data.masks=True uses them).'
      )
    for kind in ('splits', 'folds'):
      yield from self._twice(candidates, kind)
    if deep := [c.path for c in candidates if c.included and self._is_deep(c)]:
      yield (
        f'{len(deep):,} images lie in folders called as splits or folds within'
        f' folders that are no classes, as {deep[0]}: these names are not used.'
      )
    if folds := self._only_folds(candidates):
      yield folder_parts.taken_for_folds(folds)
    # Tables first: they may say what names do not.
    others = sorted(self._others, key=lambda n: not n.lower().endswith('.csv'))
    if others:
      yield (
        f'Files of {root} in no class folder that are no images are not used:'
        f' {len(others):,}, as {", ".join(others[:3])}.'
      )
    if hidden := [*map(_utf8, self._tree.hidden)]:
      yield (
        f'Hidden files and folders of {root} are not looked at:'
        f' {len(hidden):,}, as {hidden[0]}.'
      )
    unread = [c for c in candidates if c.reason in reasons and c.reason]
    if unread:
      yield (
        f'{len(unread):,} of {len(candidates):,} files below the class folders'
        f' are no images that can be read, as {unread[0].path}'
        f' ({unread[0].reason}).'
      )
    if empty := self._empty(candidates):
      which = ', '.join(empty[:10]) + (', ...' if len(empty) > 10 else '')
      hold = 's {} hold' if len(empty) > 1 else ' {} holds'
      yield f'The class folder{hold.format(which)} no images.'

  def _twice(self, candidates: Iterable[Candidate], kind: str) -> Iterator[str]:
    """A sentence on images in folders of two parts of a kind."""
    named = {
      c.path: getattr(self.place(posixpath.dirname(c.path)), kind)
      for c in candidates
      if c.included
    }
    twice = [path for path, names in named.items() if len(names) > 1]
    if twice:
      outer = named[twice[0]][0]
      yield (
        f'{len(twice):,} images lie in folders of two {kind}, as {twice[0]}:'
        f' they are taken for those of the outer one ({outer}).'
      )

  def _is_deep(self, candidate: Candidate) -> bool:
    """Whether a folder below others than its class names its only part."""
    place = self.place(posixpath.dirname(candidate.path))
    return not (place.splits or place.folds) and any(
      folder_parts.split(name) or folder_parts.fold(name)
      for name in place.inner
    )

  def _only_folds(self, candidates: Iterable[Candidate]) -> list[str]:
    """Folders of folds with images of no class, which may be meant as one."""
    folders = {
      posixpath.dirname(c.path) for c in candidates if c.reason == NO_CLASS
    }
    folds = (folder for folder in folders if self.place(folder).folds)
    return sorted({*map(posixpath.basename, folds)})

  def _empty(self, candidates: Iterable[Candidate]) -> list[str]:
    """The class folders without an image, as they are to be shown."""
    used = {
      str(folder)
      for c in candidates
      if c.included
      for folder in pathlib.PurePosixPath(c.path).parents
    }
    return [
      _utf8(folder)
      for folder in self._tree.folders
      if (place := self.place(folder)).label
      and not place.inner
      and folder not in used
    ]


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
  return tuple(dict.fromkeys(filter(None, names)))


def _utf8(name: str) -> str:
  """A name as a manifest can hold it; others than UTF-8 it cannot."""
  data = name.encode(errors='surrogateescape')
  return data.decode(errors='backslashreplace')


def _problem(path: pathlib.Path) -> str:
  """Why a file without the ending of an image is none; '' if it is one."""
  try:
    head = content.head(path)
  except OSError as error:
    return images.why_unread(error)
  if not head:
    return 'the file is empty'
  kind = content.kind(head)
  if not kind:
    return 'not an image'
  if kind not in images.READABLE:
    return f'{kind} is not read: save it as PNG'
  return ''
