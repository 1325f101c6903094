"""What the columns of tables are called and what their cells say.

The one table of meanings for lists of images and files of features. Case,
blanks, `_`, `-` and `.` do not count in the name of a column.
"""

from collections.abc import Iterable, Mapping, Sequence
import functools
import pathlib
import re
import unicodedata

from heterojax.errors import UserError

OPTION = '--config.data.columns'
# Columns of each meaning; those of a label are several where each is 0 or 1.
Columns = Mapping[str, tuple[str, ...]]
NONE: Columns = {}
_WHO = (
  *('patient', 'patients', 'pat', 'subject', 'subjects', 'subj', 'person'),
  *('participant', 'participants', 'donor'),
)
_WHICH = (
  *('', 'id', 'ids', 'uid', 'no', 'nr', 'num', 'number', 'name', 'code'),
  *('key', 'index', 'idx', 'identifier', 'hash'),
)
# By meaning: names of columns as `key` gives them, those that leave no doubt
# first.
_NAMES = {
  'path': (
    *('path', 'filepath', 'imagepath', 'imgpath', 'filename', 'file', 'fname'),
    *('imagefile', 'imagefilename', 'imagefilepath', 'imagename', 'imgname'),
    *('image', 'images', 'img', 'imageid', 'imgid', 'idcode', 'imageindex'),
  ),
  'label': (
    *('label', 'labels', 'class', 'classes', 'classname', 'classlabel'),
    *('labelname', 'target', 'targets', 'diagnosis', 'dx', 'y', 'category'),
    *('groundtruth', 'gt'),
  ),
  'group': (
    *('group', 'groups', 'groupid', 'mrn', 'pid', 'pt', 'ptid', 'usubjid'),
    *(f'{who}{what}' for who in _WHO for what in _WHICH),
    *(f'id{who}' for who in _WHO),
    *('anonpatientid', 'empianon'),
  ),
  'split': (
    *('split', 'phase', 'splits', 'datasplit', 'datasetsplit', 'splitname'),
  ),
  'fold': ('fold', 'folds', 'foldid', 'foldnumber', 'cvfold'),
  'id': ('id', 'imgids', 'imageid', 'imgid', 'imageids', 'ids', 'idcode'),
  'prediction': (
    *('prediction', 'predictions', 'predicted', 'pred', 'preds', 'ypred'),
    *('predictedlabel', 'yhat', 'probability', 'probabilities', 'prob'),
    *('probs', 'yprob', 'yscore'),
  ),
}
MEANINGS = tuple(_NAMES)
_MEANING = {name: m for m in reversed(_NAMES) for name in _NAMES[m]}
# Of these, a table often has several; the first of the names above is taken.
_RANKED = ('path', 'id', 'prediction')
# Names of each meaning that need no note.
_EVIDENT = {
  **{meaning: names[:2] for meaning, names in _NAMES.items()},
  'group': ('group',),
  'id': _NAMES['id'],
}
# What tables write where they know nothing, as small letters.
MISSING = frozenset((
  *('', 'nan', '-nan', 'na', 'n/a', '#n/a', '#na', '<na>', 'n.a.', 'none'),
  *('null', 'nil', 'nat', 'unknown', 'unk', 'missing', 'not available'),
  *('not known', '?', '-', '--', '.'),
))
_WHOLE = re.compile(r'([+-]?[0-9]+)\.0*')
_MARK = re.compile(r'-1(\.0+)?|-9+(\.0+)?')  # Of a patient who is not known.
_SHOWN = 12


@functools.lru_cache(1 << 17)
def key(name: str) -> str:
  """The name of a column as names are compared."""
  return re.sub(r'[\s_.-]', '', name.casefold())


def of(name: str) -> str:
  """A meaning that the name of a column has, or ''."""
  return _MEANING.get(key(name), '')


def is_missing(cell: str) -> bool:
  return cell.casefold().strip() in MISSING


def known(cell: str) -> str:
  """The cell of a group, split or fold: '' where missing, '1' for '1.0'."""
  return '' if is_missing(cell) else whole(cell)


def groups(
  path: pathlib.Path, cells: Sequence[str]
) -> tuple[list[str], tuple[str, ...]]:
  """Cells of the group, '' where it is missing, and what must be said."""
  words = {c for c in cells if is_missing(c) or _MARK.fullmatch(c)}
  found = ['' if cell in words else known(cell) for cell in cells]
  notes = ()
  if words:
    said = ', '.join(repr(word) if word else 'empty' for word in sorted(words))
    notes = (
      f'{sum(not cell for cell in found):,} of {len(found):,} rows of'
      f' {path.name} name no patient or group ({said}):'
      ' each is one of its own.',
    )
  spellings: dict[str, set[str]] = {}
  for name in set(found):
    spellings.setdefault(name.casefold(), set()).add(name)
  alike = [sorted(names) for names in spellings.values() if len(names) > 1]
  if alike:
    notes += (
      f'Patients or groups of {path.name} that differ in capitals alone are not'
      f' taken for one: {shown(map(" and ".join, sorted(alike)), 3)}.',
    )
  return found, notes


def whole(cell: str) -> str:
  """A cell; whole numbers without a fraction, letters in one Unicode form."""
  if not cell.isascii():
    cell = unicodedata.normalize('NFC', cell)
  match = _WHOLE.fullmatch(cell)
  return match[1] if match else cell


def parse(text: str) -> Columns:
  """Reads `data.columns`.

  Args:
    text: as `path:image_id,label:dx,group:lesion_id`; `label:A|B|C` stands for
      columns of 0 and 1, of which that with the 1 is the label. A meaning
      without a column, as `split:`, is that of none.

  Returns:
    The columns of each meaning that is there.

  Raises:
    UserError: if it is written in another way.
  """
  columns: dict[str, tuple[str, ...]] = {}
  for part in filter(None, (part.strip() for part in text.split(','))):
    word, colon, names = (piece.strip() for piece in part.partition(':'))
    meaning = of(word)
    if not colon or not word:
      raise UserError(
        f'{OPTION} is {text!r}, but must be MEANING:COLUMN, or several of them'
        " joined by commas, as 'path:image_id,label:dx,group:patient'."
      )
    if not meaning:
      raise UserError(
        f'{OPTION} names the meaning {word!r}, which there is not: columns are'
        f' {", ".join(MEANINGS)}.'
      )
    if meaning in columns:
      raise UserError(f'{OPTION} names the {meaning} twice: {text!r}.')
    several = [name.strip() for name in names.split('|')]
    columns[meaning] = tuple(filter(None, several))
    if len(columns[meaning]) > 1 and meaning != 'label':
      raise UserError(
        f'{OPTION} names {len(columns[meaning])} columns for the {meaning}:'
        ' only the label may be several columns, of 0 and 1.'
      )
  return columns


def choose(
  path: pathlib.Path,
  names: Sequence[str],
  asked: Columns,
  wanted: Sequence[str],
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
  """Which column plays which part.

  Args:
    path: of the table, for messages.
    names: of its columns.
    asked: by the user, see `parse`.
    wanted: the meanings that its reader knows.

  Returns:
    The columns of each meaning that is there, and what must be said of them.

  Raises:
    UserError: if a column or meaning that the user asks for is not there, or
      several columns could be meant.
  """
  for meaning in asked:
    if meaning not in wanted:
      raise UserError(
        f'{OPTION} names the {meaning}, which {path} cannot have: its columns'
        f' are {", ".join(wanted)}.'
      )
  chosen, notes = {}, []
  for meaning in wanted:
    if meaning in asked:
      chosen[meaning] = tuple(_named(path, names, n) for n in asked[meaning])
    elif name := _usual(path, names, meaning):
      chosen[meaning] = (name,)
      if key(name) not in _EVIDENT[meaning]:
        notes.append(f'The column {name} of {path.name} is the {meaning}.')
  return {m: columns for m, columns in chosen.items() if columns}, tuple(notes)


def _named(path: pathlib.Path, names: Sequence[str], name: str) -> str:
  """The column that a user means."""
  for same in (lambda n: n == name, lambda n: key(n) == key(name)):
    if len(found := [n for n in names if same(n)]) == 1:
      return found[0]
  raise UserError(f'{path} has no column {name!r} ({OPTION}): it {has(names)}.')


def _usual(path: pathlib.Path, names: Sequence[str], meaning: str) -> str:
  """The column that is called as its meaning usually is, or ''."""
  # Its plain name is what a user calls a column on purpose.
  if meaning in names:
    return meaning
  usual = _NAMES[meaning]
  found = [n for n in names if key(n) in usual]
  if len(found) > 1:  # It may be a coordinate.
    found = [n for n in found if key(n) != 'y']
  if meaning in _RANKED and found:
    first = min(usual.index(key(n)) for n in found)
    found = [n for n in found if key(n) == usual[first]]
  if len(found) > 1:
    raise UserError(
      f'{path} has the columns {" and ".join(found)}: call the one that is'
      f" meant {meaning!r}, or name it with {OPTION}='{meaning}:{found[0]}'."
    )
  return ''.join(found)


def require(
  path: pathlib.Path,
  names: Sequence[str],
  chosen: Columns,
  needed: Sequence[str],
  likely: Mapping[str, str] = {},
) -> None:
  """Raises a UserError where a table lacks a meaning.

  Args:
    path: of the table.
    names: of its columns.
    chosen: see `choose`.
    needed: meanings.
    likely: columns that could have a meaning, as in `parse`.
  """
  missing = [meaning for meaning in needed if meaning not in chosen]
  if missing:
    example = ','.join(f'{m}:{likely.get(m, "COLUMN")}' for m in missing)
    raise UserError(
      f'{path} has no column {", ".join(map(repr, missing))}: it needs'
      f' {", ".join(needed)} and {has(names)}; say which is meant with'
      f" {OPTION}='{example}'."
    )


def has(names: Iterable[str]) -> str:
  """What columns there are, as a part of a sentence."""
  return f'has {shown(names) or "no names of columns"}'


def shown(names: Iterable[str], most: int = _SHOWN) -> str:
  """The names, the first of many."""
  names = list(names)
  more = f' and {len(names) - most} more' if len(names) > most else ''
  return ', '.join(names[:most]) + more
