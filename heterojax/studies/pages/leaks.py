"""What the held-out parts share with training, in words and in numbers."""

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from heterojax.records import codec
from heterojax.records.codec import Missing
from heterojax.records.codec import Partly
from heterojax.report.blocks import Block
from heterojax.report.blocks import Heading
from heterojax.report.blocks import Items
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Table
from heterojax.report.blocks import Text
from heterojax.report.blocks import on_page
from heterojax.report.blocks import quiet
from heterojax.report.formatting import capital
from heterojax.report.formatting import counted
from heterojax.report.formatting import listed
from heterojax.report.formatting import of_class
from heterojax.studies.pages.common import Rows
from heterojax.studies.records import Leaks


class _Kind(NamedTuple):
  """A kind of leak: its title, and what is said of the images it concerns."""

  title: str
  what: str


# The strongest first.
KINDS = {
  'same_path': _Kind('Same file', 'show a file that training has as well'),
  'identical_file': _Kind(
    'Identical file', 'are, byte for byte, in training as well'
  ),
  'identical_pixels': _Kind(
    'Identical pixels', 'are, pixel for pixel, in training as well'
  ),
  'near_duplicate': _Kind(
    'Near duplicate',
    'are so close to one of training in feature space that they may be copies'
    ' of it',
  ),
  'shared_group': _Kind(
    'Same patient or group',
    'are of a patient or group that training has as well',
  ),
}
# Each contains the one before it.
COPIES = ('same_path', 'identical_file', 'identical_pixels')


class Shared(NamedTuple):
  """Leaks, and the parts that have them.

  Attributes:
    leaks: of the results.
    classes: (positive, negative), or () where labels are numbers.
    n_test: samples of the test set.
    validates: whether there is a validation part.
    protocol: of the split.
    unit: what one sample is called.
    folds: how many there are; 0 where the data are split once.
    stops_early: whether heads look at the validation part, where there is one.
  """

  leaks: Leaks
  classes: tuple[str, ...]
  n_test: float
  validates: bool
  protocol: str
  unit: str
  folds: int
  stops_early: bool = True

  def counts(self, kind: str) -> tuple[int, ...]:
    """Samples of each class that a kind concerns; zeros where unknown."""
    count = self.leaks.get(kind)
    known = count.value if isinstance(count, Partly) else {}
    return tuple(known.get(label, 0) for label in self.classes or ('all',))

  @property
  def groups_known(self) -> bool:
    """Whether every sample names its patient or group."""
    return not codec.why(self.leaks['shared_group'])

  @property
  def copies(self) -> int:
    """Test samples that training has as well, whatever their name."""
    return max(sum(self.counts(kind)) for kind in COPIES)


def sentences(shared: Shared, part: str = 'test') -> list[str]:
  """What the test set or the validation part shares with training.

  Args:
    shared: the leaks.
    part: 'test' or 'validation'.

  Returns:
    A sentence per kind, the strongest first; none where nothing is shared. A
    kind of copy with the counts of a stronger one says nothing new.
  """
  prefix = '' if part == 'test' else f'{part}_'
  of = f' of {counted(shared.n_test, f"test {shared.unit}")}'
  if part == 'validation':
    of = f' validation {shared.unit}s'
  said, told = [], []
  for kind, (_, what) in KINDS.items():
    counts = shared.counts(prefix + kind)
    repeated = kind in COPIES and counts in told
    if not sum(counts) or repeated:
      continue
    classes = ''
    if shared.classes:
      classes = f' ({listed(map(of_class, counts, shared.classes))})'
    more = ''
    if kind in COPIES:
      more = ', those above included' if told else ''
      told.append(counts)
    said.append(f'{sum(counts):,}{of} {what}{classes}{more}.')
  return said


def not_independent(shared: Shared) -> str:
  """The warning's first words; less sure where features alone are alike."""
  sure = any(
    sum(shared.counts(kind)) for kind in KINDS if kind != 'near_duplicate'
  )
  verb = 'is not' if sure else 'may not be'
  return f'The test set {verb} independent of training.'


def what_they_do(shared: Shared) -> str:
  """What leaks do to the numbers."""
  text = (
    f'A head can be right about such {shared.unit}s because it has seen them,'
    ' or the same patients, in training: the metrics in this report are'
    ' probably too high.'
  )
  if shared.protocol == 'published':
    text += (
      ' The published protocol keeps every row of the source, copies'
      ' included, and leaks by design: it is there to compare with the paper.'
      ' For numbers to rely on, run the clean protocol.'
    )
  return text


def nothing_shared(shared: Shared) -> str:
  """What was looked for in vain."""
  looked = [
    kind.title.lower()
    for name, kind in KINDS.items()
    if not isinstance(shared.leaks[name], Missing)
  ]
  return (
    f'No test {shared.unit} has anything in common with a training'
    f' {shared.unit}, as far as was looked: {listed(looked)}.'
  )


def not_looked_for(shared: Shared) -> str:
  """That near duplicates were not looked for, and why; '' where they were."""
  count = shared.leaks['near_duplicate']
  if not isinstance(count, Missing):
    return ''
  return f'Near duplicates were not looked for: {count.why}.'


def patients(shared: Shared, rows: Rows) -> str:
  """How many patients there are, as far as that is known.

  Args:
    shared: the leaks.
    rows: of `manifest.csv`.

  Returns:
    Sentences; '' where nothing is known and nothing is missed.
  """
  unchecked = ''
  if why := codec.why(shared.leaks['shared_group']):
    unchecked = (
      f'{capital(why)}: whether training and test share their'
      ' patients cannot be checked.'
    )
  if isinstance(shared.leaks['shared_group'], Missing):
    return unchecked
  groups: dict[str, set[str]] = {}
  for row in rows:
    if row['included'] == 'true' and row['group']:
      groups.setdefault(row['split'], set()).add(row['group'])
  parts = [
    f'{len(names):,} in {split.replace("_", " ")}'
    for split, names in sorted(groups.items())
  ]
  return f'Patients or groups: {", ".join(parts)}. {unchecked}'.rstrip()


def warning(shared: Shared) -> list[Block]:
  """What stands at the head of a page; nothing without leaks."""
  said = sentences(shared)
  if not said:
    return []
  text = Markup(
    '<strong>{}</strong> {} {} <a href="#leaks">What test and training share'
    '</a>. The metrics below are probably too high.'
  ).format(
    not_independent(shared),
    said[0],
    'There is more: see' if len(said) > 1 else 'See',
  )
  if unseen := not_looked_for(shared):
    text = Markup('{} {}').format(text, unseen)
  return [Paragraph(text, 'warning')]


def blocks(shared: Shared) -> list[Block]:
  """All about leaks."""
  tested = sentences(shared)
  every = tested + sentences(shared, 'validation')
  said: list[Block] = [Paragraph(nothing_shared(shared))]
  if every:
    said = [Items(every)]
    if tested:
      text = Markup('<strong>Warning.</strong> {}').format(what_they_do(shared))
      said.append(Paragraph(text, 'warning'))
    text = Markup(
      '<code>tables/leaks.csv</code> names each of these {}s and the one it is'
      ' like.'
    )
    said.append(Paragraph(text.format(shared.unit)))
  if unseen := not_looked_for(shared):
    said.append(Paragraph(unseen, 'note'))
  return [
    Heading('What test and training share', 'leaks'),
    *said,
    table(shared),
    *([Paragraph(note, 'quiet')] if (note := _note(shared)) else ()),
  ]


def table(shared: Shared) -> Table:
  """How many samples of each part and class every kind concerns."""

  def title(kind: str) -> Text:
    count = shared.leaks[kind]
    why = codec.why(count)
    if not why:
      return KINDS[kind].title
    least = 'not known' if isinstance(count, Missing) else 'at least'
    return Markup('{}<br>{}').format(
      KINDS[kind].title, quiet(f'{least}: {why}')
    )

  columns = [on_page('Shared with training', title, 'text')]
  prefixes = {'Test': '', 'Validation': 'validation_'}
  for part, prefix in list(prefixes.items())[: 1 + shared.validates]:
    for i, label in enumerate(shared.classes or (f'{shared.unit}s',)):
      head = Markup('{}<br>{}').format(part, label)
      columns.append(on_page(head, _count(shared, prefix, i)))
  return Table('', columns, list(KINDS))


def _count(shared: Shared, prefix: str, i: int) -> Callable[[str], int | None]:
  """The cells of a column: of one part and class."""

  def count(kind: str) -> int | None:
    if isinstance(shared.leaks[kind], Missing):
      return None
    return shared.counts(prefix + kind)[i]

  return count


def _note(shared: Shared) -> str:
  validation = ''
  if shared.validates:
    validation = 'For the test set, the validation part counts as training'
    if shared.stops_early:
      validation += ': early stopping has looked at it'
    validation += '. '
  folds = ' Counts are over all folds.' if shared.folds else ''
  if not_looked_for(shared):
    return f'{validation}{folds}'.strip()
  return (
    f'{validation}Near duplicates: other pixels, but features that are less'
    f' than a tenth as far apart as those of two {shared.unit}s usually are'
    ' (cosine distance of the centred features below 0.1); look at them.'
    f'{folds}'
  )
