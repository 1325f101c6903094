"""Folders of classes: which class and which named split a file is of.

The class is a folder's name. Folders called train, val or test (see
`parts.word`) lie above or below it, as TensorFlow Datasets' ImageFolder,
Keras and Hugging Face have them, and never are classes; nor are folders called
images. Files are told by their content where their ending says nothing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
import dataclasses
import itertools
import pathlib
import posixpath
from typing import NamedTuple

from heterojax.datasets import classes
from heterojax.datasets import content
from heterojax.datasets import images
from heterojax.datasets import layout
from heterojax.datasets import masks
from heterojax.datasets import parts
from heterojax.datasets.manifest import Candidate

# Folders of these words hold the images, or the parts, of what is around them.
_PLAIN = frozenset({
  *('images', 'image', 'imgs', 'img', 'pictures', 'photos', 'data', 'dataset'),
  *('png', 'jpg', 'jpeg', 'dicom', 'dcm'),
})
_OF_SPLITS = _PLAIN | {'set', 'split', 'part', 'folder', 'input'}
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
  split: str = ''
  inner: tuple[str, ...] = ()  # Folders between the class and the file.
  is_mask: bool = False
  other_split: str = ''  # That a folder further in names.


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
  candidates, notes = _with_splits(candidates)
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


def _split_of(folder: str) -> str:
  """The split that a folder is called by; '' if none."""
  split, others = _split_and_others(folder)
  return split if others <= _OF_SPLITS else ''


def _split_and_others(folder: str) -> tuple[str, set[str]]:
  """The one split among the words of a name, '' if none, and other words."""
  if whole := parts.word(folder):  # As hold-out.
    return whole, set()
  found = {word: parts.word(word) for word in masks.words(folder)}
  of = set(filter(None, found.values()))
  others = {word for word, split in found.items() if not split}
  return of.pop() if len(of) == 1 else '', others


def _is_plain(folder: str) -> bool:
  found = masks.words(folder)
  return bool(found) and found <= _PLAIN


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
    """Whether there are folders of splits in it with classes in them."""
    return any(
      not (_is_plain(name) or _split_of(name) or masks.said(name))
      for part in self._below.get(folder, ())
      if self._part(folder, part)
      for name in self._below.get(posixpath.join(folder, part), ())
    )

  def place(self, folder: str) -> _Place:
    """What the path of a folder says."""
    if folder not in self._places:
      self._places[folder] = self._place(folder)
    return self._places[folder]

  def _place(self, folder: str) -> _Place:
    above, is_mask = self._top, False
    named: list[str] = []  # Splits, the outermost first.
    if above and not f'{folder}/'.startswith(f'{above}/'):
      return _Place()
    names = [*filter(None, folder[len(above) :].split('/'))]
    for depth, name in enumerate(names):
      asked_for = classes.composed(name) in self._named
      part = self._part(above, name)
      of_masks = not asked_for and self._is_of_masks(above, name)
      if not (part or of_masks) and (asked_for or not _is_plain(name)):
        inner = names[depth + 1 :]
        below = itertools.takewhile(
          lambda n: _is_plain(n) or _split_of(n), inner
        )
        named += filter(None, map(_split_of, below))
        split, others = ''.join(named[:1]), {*named} - {*named[:1]}
        return _Place(
          classes.composed(name),
          split,
          tuple(inner),
          is_mask,
          ''.join(sorted(others)[:1]),
        )
      named += filter(None, [part])
      is_mask = is_mask or of_masks
      above = posixpath.join(above, name)
    return _Place('', ''.join(named[:1]), (), is_mask)

  def _part(self, above: str, name: str) -> str:
    """The split that a folder in the place of a class names; '' if none."""
    if part := _split_of(name):
      return part
    # As seg_train and seg_test, with classes in them.
    part, others = _split_and_others(name)
    inside = self._classes_in(above, name)
    if not (part and inside):
      return ''
    for other in self._below[above]:
      split, words = _split_and_others(other)
      # Or as train and external_test, with the same classes in them.
      if split not in ('', part) and (
        words == others or inside & self._classes_in(above, other)
      ):
        return part
    return ''

  def _classes_in(self, above: str, name: str) -> set[str]:
    """The folders in a folder."""
    inside = self._below.get(posixpath.join(above, name), ())
    return {n for n in inside if not _is_plain(n)}

  def _is_of_masks(self, above: str, name: str) -> bool:
    """Whether a folder in the place of a class holds the masks of others."""
    if self._with_masks or not masks.said(name):
      return False
    if masks.words(name) - masks.said(name) - _PLAIN:
      return False
    others = [n for n in self._below[above] if not masks.said(n)]
    return len(others) > 1 or any(map(_is_plain, others))

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
    candidate = Candidate(shown, shown, label, '', place.split)
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
    twice = [
      (c.path, place)
      for c in candidates
      if c.included
      and (place := self.place(posixpath.dirname(c.path))).other_split
    ]
    if twice:
      path, place = twice[0]
      yield (
        f'{len(twice):,} images lie in folders of two splits, as {path}: they'
        f' are taken for those of the outer one ({place.split}).'
      )
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


def _with_splits(
  candidates: Sequence[Candidate],
) -> tuple[list[Candidate], tuple[str, ...]]:
  """The candidates with the splits that can serve, and what is to be said."""
  there = {c.split for c in candidates if c.included}
  if not there - {''}:
    return [dataclasses.replace(c, split='') for c in candidates], ()
  names = ', '.join(sorted(there - {''}))
  renamed, note = {}, f'The folders name the split of each image ({names}).'
  if {'train', 'validation'} <= there and 'test' not in there:
    renamed = {'validation': 'test'}
    note = (
      'There are folders of training and of validation and none of test: those'
      ' of validation are the test set.'
    )
  elif not {'train', 'test'} <= there:
    renamed = dict.fromkeys(there, '')
    note = (
      f'Folders name the split {names} alone, which splits nothing: images are'
      ' split at random.'
    )
  return [
    dataclasses.replace(c, split=renamed.get(c.split, c.split))
    for c in candidates
  ], (note,)
