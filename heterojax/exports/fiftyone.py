"""Images as FiftyOne reads them, written without it.

The format is its `FiftyOneImageClassificationDataset`: `data.json` says where
the media are, `labels.json` what is known of each. In Python:
`fiftyone.Dataset.from_dir(dataset_dir=FOLDER, data_path='data.json',
dataset_type=fiftyone.types.FiftyOneImageClassificationDataset)`.
"""

from collections.abc import Sequence
import pathlib

from heterojax import errors
from heterojax.errors import UserError
from heterojax.run import outputs
from heterojax.run import run_folder
from heterojax.studies import images
from heterojax.studies import reading

_SAMPLE = ('id', 'path', 'label')


def write(
  rows: Sequence[dict[str, str]], folder: pathlib.Path, out: pathlib.Path
) -> None:
  """Writes `data.json` and `labels.json`.

  An image has one sample: that of its test, where it is in several folds.

  Args:
    rows: see `images.rows`, without copies, which are no files.
    folder: of the run, whose configuration says where paths begin.
    out: folder of the two files.

  Raises:
    UserError: where images are in no files; see also `outputs.write`.
  """
  base = _base(folder, rows[0]['path'] if rows else '')
  types = {
    name: images.typed(name, [row[name] for row in rows])
    for name in (rows[0] if rows else ())
  }
  media, labels = {}, {}
  for i, row in sorted(enumerate(rows), key=lambda r: r[1]['split'] == 'test'):
    path = base / row['path']
    if not path.is_file():
      continue
    media[row['id']] = str(path)
    known = {name: types[name][i] for name in row if name not in _SAMPLE}
    labels[row['id']] = {'label': row['label'], 'attributes': known}
  if rows and not media:
    raise UserError(
      f'None of the images of {folder} is a file below {base}: FiftyOne shows'
      ' files, so choose --to=csv or parquet.'
    )
  classes = sorted({label['label'] for label in labels.values()})
  trees = {
    'data.json': media,
    'labels.json': {'classes': classes, 'labels': labels},
  }
  texts = {name: run_folder.to_json(tree) for name, tree in trees.items()}
  outputs.write(str(out), 'out', texts)


def _base(folder: pathlib.Path, path: str) -> pathlib.Path:
  """Where the paths of the manifest begin: where the first of them is."""
  config = folder / 'config.json'
  match reading.load(config).get('data'):
    case {'dir': str(named), 'images': str(images_in)}:
      pass
    case _:
      raise errors.damaged(config, 'it does not say where the data are')
  given = pathlib.Path(named).expanduser().absolute()
  table = given.parent
  places = [table / images_in, given, table] if named else []
  places += [pathlib.Path(images_in).absolute(), folder / 'cohort']
  return next((p for p in places if (p / path).is_file()), given)
