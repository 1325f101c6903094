"""Records of a prepared data set, read by a schema that is fixed here.

TensorFlow Datasets would import whatever classes the `features.json` beside the
records names. What is read of `dataset_info.json` are the lengths of the files,
and `features.json` is not read at all: it is there for others.
"""

from collections.abc import Sequence
import dataclasses
import json
import pathlib

from heterojax.datasets import layout

INFO = 'dataset_info.json'


@dataclasses.dataclass
class Shard:
  """One whole file of records, in the words of array_record."""

  filename: str
  examples_in_shard: int
  take: int
  skip: int = 0


class Split:
  """Random access to the records of one split, which threads may share.

  Args:
    folder: of the data set.
    split: one that TFDS wrote there.

  Raises:
    OSError: if something cannot be read.
    LookupError, TypeError, ValueError: if it is not what TFDS writes.
  """

  def __init__(self, folder: pathlib.Path, split: str):
    # They take a while to import, and studies of plain files never need them.
    # pylint: disable=import-outside-toplevel
    from array_record.python import array_record_data_source
    from tensorflow_datasets.proto import tf_example_pb2

    # Made as it is imported, which no type checker sees.
    self._example = tf_example_pb2.Example  # pyright: ignore[reportAttributeAccessIssue]
    self._records = array_record_data_source.ArrayRecordDataSource(
      shards(folder, split)
    )

  def read(self, position: int) -> tuple[str, bytes]:
    """Path and encoded image of a record; raises anything for a broken one."""
    example = self._example.FromString(self._records[position])
    path, image = (
      example.features.feature[name].bytes_list.value[0]
      for name in ('path', 'image')
    )
    return path.decode(), image


def shards(folder: pathlib.Path, split: str) -> Sequence[Shard]:
  """The files of one split, in order; raises as `Split`."""
  info = json.loads(layout.read_file(folder / INFO))
  (lengths,) = (
    [int(n) for n in known['shardLengths']]
    for known in info['splits']
    if known['name'] == split
  )
  if not lengths or min(lengths) < 0:
    raise ValueError(f'the lengths of its files are {lengths}')
  names = [path.name for path in folder.iterdir() if path.is_file()]
  return [
    Shard(str(folder / _named(names, split, i, len(lengths))), length, length)
    for i, length in enumerate(lengths)
  ]


def _named(names: Sequence[str], split: str, i: int, count: int) -> str:
  """The name of the i-th file: no part of a path comes from a file's text."""
  end = f'-{split}.array_record-{i:05d}-of-{count:05d}'
  found = [name for name in names if name.endswith(end)]
  return found[0] if len(found) == 1 else f'missing{end}'
