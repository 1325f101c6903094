"""From all candidates to the images of the study, each with its reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
import concurrent.futures
import contextlib
import dataclasses
import logging
from typing import Any

from heterojax import rng
from heterojax.datasets import classes
from heterojax.datasets import images
from heterojax.datasets import inspections
from heterojax.datasets import masks
from heterojax.datasets import sources
from heterojax.datasets import values
from heterojax.datasets.inspections import Inspections
from heterojax.datasets.manifest import Candidate
from heterojax.datasets.manifest import Cohort
from heterojax.errors import UserError
from heterojax.run.progress import Progress

_LOG = logging.getLogger(__name__)
_MOST_OF_PART = 64  # Images that a thread is given at a time.
_NOT_DRAWN = 'not drawn'
_NO_FILE = 'file not found'
_SAME_IMAGE = 'same image as '
_USE_MASKS = '--config.data.masks=True'
_COPIES_SHARE = 'the same file, pixels or features'


def select(
  cohort: Cohort,
  *,
  seed: int,
  balance: bool,
  distinct: bool,
  max_bad_share: float,
  workers: int,
  levels: images.Range = 'window',
  earlier: Inspections | None = None,
) -> Cohort:
  """Keeps what can be read and, if asked for, as many of one class as of all.

  Negatives are met in an order drawn by the seed, and drawing goes on until
  there are as many readable ones as positives. Of more than two classes as many
  as of the smallest are drawn.

  Args:
    cohort: all candidates.
    seed: of the study.
    balance: whether negatives are drawn to equal the positives, or all classes
      the smallest; where labels are numbers there is nothing to balance.
    distinct: whether only the first of several candidates of one file, or of
      images with the same pixels, is kept.
    max_bad_share: share of drawn candidates that may be unusable, 0..1.
    workers: threads that decode.
    levels: which values of an image become 0 and 255.
    earlier: what looking at the images found before, which is kept there.

  Returns:
    The cohort with `included` and `reason` set for every candidate and with the
    columns that inspecting gave for the included ones.

  Raises:
    UserError: if too many cannot be used, a class is empty, or all numbers are
      one.
  """
  if cohort.classes:
    classes.require_different(cohort.classes)
  inspector = _Inspector(
    cohort.source, workers, levels, earlier or Inspections()
  )
  first_of: dict[str, Candidate] = {}  # By the digest of the content.
  copies: list[tuple[Candidate, Candidate]] = []  # Each with the first.

  def meet(candidate: Candidate) -> Candidate:
    """What becomes of a drawn candidate."""
    look = inspector(candidate.path)
    if look.problem:
      return candidate.left_out(look.problem)
    if cohort.masks_are_left_out and look.is_two_valued:
      return candidate.left_out(masks.BY_PIXELS)
    content = sources.content(dict(look.columns))
    first = first_of.setdefault(content, candidate)
    if distinct and first.id != candidate.id:
      copies.append((candidate, first))
      reason = f'{_SAME_IMAGE}{first.id}'
      if first.label != candidate.label:
        reason += f', which is labelled {first.label}'
        _LOG.warning('%s is %s.', candidate.path, reason)
      return candidate.left_out(reason)
    columns = candidate.columns + look.columns
    return dataclasses.replace(candidate, columns=columns)

  if cohort.classes:
    drawn, undrawn = _by_class(cohort, inspector, meet, balance, seed)
  else:
    inspector.prefetch(c.path for c in cohort.included)
    drawn, undrawn = [meet(c) for c in cohort.included], []
  cohort = cohort.replaced({c.id: c for c in drawn + undrawn})
  _log_left_out(cohort)
  _check_bad_share(cohort, drawn, max_bad_share)
  _check_labels(cohort)
  looks = [inspector(c.path) for c in cohort.included]
  notes = (*cohort.notes, *_conflicts(cohort, copies), *values.notes(looks))
  if balance:
    notes += tuple(_short(cohort))
  if n := sum(map(_is_mask, cohort.candidates)):
    notes += (
      f'Pictures of two values alone, as masks have, are left out: {n:,}'
      f' ({_USE_MASKS} uses them).',
    )
  return dataclasses.replace(cohort, notes=notes)


def _by_class(
  cohort: Cohort,
  inspector: '_Inspector',
  meet: Callable[[Candidate], Candidate],
  balance: bool,
  seed: int,
) -> tuple[list[Candidate], list[Candidate]]:
  """What became of the candidates that were drawn, and of the others."""
  of_class = [
    [c for c in cohort.included if c.label == label] for label in cohort.classes
  ]
  if balance and len(of_class) > 2:
    of_class.sort(key=len)
  first, *others = of_class
  inspector.prefetch(c.path for c in first)
  drawn = [meet(c) for c in first]
  wanted = sum(c.included for c in drawn)
  undrawn = []
  for number, members in enumerate(others):
    if balance:
      # What has no file cannot be drawn.
      exists = {c.id: cohort.source.exists(c.path) for c in members}
      undrawn += [c.left_out(_NO_FILE) for c in members if not exists[c.id]]
      # Of two classes no other name is needed.
      stream = (rng.Purpose.DRAW, *([number] if number else []))
      order = rng.generator(seed, *stream).permutation(len(members))
      members = [members[i] for i in order if exists[members[i].id]]
    left = wanted if balance else len(members)
    inspector.prefetch(c.path for c in members[:left])
    for candidate in members:
      if left:
        drawn.append(meet(candidate))
        left -= drawn[-1].included
      else:
        undrawn.append(candidate.left_out(_NOT_DRAWN))
  return drawn, undrawn


def _short(cohort: Cohort) -> Iterator[str]:
  """A sentence for each class that is too small to be balanced."""
  counts = Counter(c.label for c in cohort.included)
  most = max(counts.values())
  for label in cohort.classes:
    if counts[label] < most:
      yield (
        f'The classes are not balanced: {counts[label]:,} of {label!r} can be'
        f' used, and {most:,} of another class.'
      )


def _check_labels(cohort: Cohort) -> None:
  """Raises a UserError where what is left has one class or number only."""
  name = cohort.source.name
  labels = {c.label for c in cohort.included}
  for label in cohort.classes:
    if label in labels:
      continue
    of_class = [c for c in cohort.candidates if c.label == label]
    if copies := sum(map(_is_copy, of_class)):
      raise UserError(
        f'All {copies} usable images of the class {label!r} in {name} are'
        f' copies of others ({_COPIES_SHARE}), of which only the first is'
        ' used: a study needs images of each class that differ.'
      )
    if n := sum(map(_is_mask, of_class)):
      raise UserError(
        f'All {n} usable pictures of the class {label!r} in {name} have two'
        f' values alone, as masks have: if they are the images, give'
        f' {_USE_MASKS}.'
      )
    raise UserError(
      f'{name} holds no usable image of the class {label!r}: a study needs'
      f' {_all_of(cohort)}.'
    )
  if not labels:
    raise UserError(f'{name} holds no usable image with a number.')
  if len(labels) == 1:
    if copies := sum(map(_is_copy, cohort.candidates)):
      raise UserError(
        f'{copies} of {copies + len(cohort.included)} usable images of {name}'
        f' are copies of others ({_COPIES_SHARE}), of which only the first is'
        f' used, and what is left has the number {labels.pop()} alone: a'
        ' study needs several.'
      )
    raise UserError(
      f'All usable images of {name} have the number {labels.pop()}: a study'
      ' needs several.'
    )


def _all_of(cohort: Cohort) -> str:
  """What a study needs images of."""
  if len(cohort.classes) == 2:
    return 'two classes'
  return f'all classes that --config.data.{classes.OPTION} names'


def _is_mask(candidate: Candidate) -> bool:
  return candidate.reason == masks.BY_PIXELS


def _is_copy(candidate: Candidate) -> bool:
  return candidate.reason.startswith(_SAME_IMAGE)


def _conflicts(
  cohort: Cohort, copies: Sequence[tuple[Candidate, Candidate]]
) -> Iterator[str]:
  """Sentences about copies of an image that the source describes otherwise."""
  if n := sum(c.label != first.label for c, first in copies):
    what, used = 'two numbers', 'the first'
    if len(cohort.classes) == 2:
      what, used = 'both classes', f'the copy called {cohort.classes[0]}'
    elif cohort.classes:
      what = 'several classes'
    yield (
      f'{n} {"images are" if n > 1 else "image is"} filed under {what};'
      f' {used} is used, and manifest.csv names the other.'
    )
  if n := sum('' != c.group != first.group != '' for c, first in copies):
    yield (
      f'{n} {"images are" if n > 1 else "image is"} filed under two patients'
      ' or groups, whose other images may be in two parts.'
    )


class _Inspector:
  """Looks at every file once, many at a time where they are known ahead."""

  def __init__(
    self,
    source: sources.Source,
    workers: int,
    levels: images.Range,
    earlier: Inspections,
  ):
    self._source, self._workers, self._earlier = source, workers, earlier
    self._levels: images.Range = levels
    self._found: dict[str, sources.Inspection] = {}

  def prefetch(self, paths: Iterable[str]) -> None:
    paths = [p for p in dict.fromkeys(paths) if p not in self._found]
    # A future for each of a million rows takes more memory than they do.
    size = min(max(1, len(paths) // (8 * self._workers)), _MOST_OF_PART)
    parts = [paths[i : i + size] for i in range(0, len(paths), size)]
    with (
      concurrent.futures.ThreadPoolExecutor(self._workers) as pool,
      Progress('inspection', len(paths), 'images') as progress,
    ):
      # A generator, whose closing cancels what is left, should the run be
      # stopped.
      found: Any = pool.map(self._inspect_part, parts)
      with contextlib.closing(found):
        for part, looks in zip(parts, found, strict=True):
          for path, look in zip(part, looks, strict=True):
            self._keep(path, look)
          progress.update(len(part))

  def __call__(self, path: str) -> sources.Inspection:
    if path not in self._found:
      self._keep(path, self._inspect(path))
    return self._found[path]

  def _inspect_part(self, paths: Sequence[str]) -> list[inspections.Found]:
    return [self._inspect(path) for path in paths]

  def _inspect(self, path: str) -> inspections.Found:
    return self._earlier.look(self._source, path, self._levels)

  def _keep(self, path: str, found: inspections.Found) -> None:
    self._found[path] = found.look
    self._earlier.keep(self._source, path, self._levels, found)


def general(reason: str) -> str:
  """A reason without what is said of one image alone."""
  if reason.startswith(_SAME_IMAGE):
    return f'{_SAME_IMAGE}another'
  return reason.split(':')[0]


def _log_left_out(cohort: Cohort) -> None:
  _LOG.info(
    '%d candidates, %d used.', len(cohort.candidates), len(cohort.included)
  )
  reasons = Counter(
    general(c.reason) for c in cohort.candidates if not c.included
  )
  for reason, number in reasons.items():
    _LOG.info('Left out: %d (%s)', number, reason)


def _check_bad_share(
  cohort: Cohort, drawn: list[Candidate], max_bad_share: float
) -> None:
  bad = [c for c in drawn if not (c.included or _is_copy(c) or _is_mask(c))]
  if bad and len(bad) / len(drawn) > max_bad_share:
    named = ', '.join(f'{c.path} ({c.reason[:90]})' for c in bad[:3])
    percent = -(-100 * len(bad) // len(drawn))  # Rounded up, so that it allows.
    allow = ''
    if len(bad) < len(drawn):
      allow = (
        ', or allow it with'
        f' --config.data.max_bad_share={percent / 100:.2f} or more'
      )
    lost = all(c.reason == _NO_FILE for c in bad)
    mend = 'mend them'
    if lost:
      mend = 'say where they lie with --config.data.images=FOLDER'
    raise UserError(
      f'{len(bad)} of {len(drawn)} images of {cohort.source.name} cannot be'
      f' used, such as {named}: {mend}{allow}.'
    )
