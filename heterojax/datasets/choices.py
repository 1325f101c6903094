"""What readers are told of a folder or table that a user laid out."""

from typing import NamedTuple


class Choices(NamedTuple):
  """Options of the readers of folders, tables and files of features.

  Attributes:
    columns: what the columns of a table are, see `meanings.parse`; '' for names
      alone.
    features: which columns are features, see `feature_columns.choose`.
    images: folder in which a table's images are looked for; '' for the table's.
    masks: whether what looks like a mask is an image as any other.
    incomplete: whether a class of several labels may lack some of them, as that
      of a second data set may.
  """

  columns: str = ''
  features: str = ''
  images: str = ''
  masks: bool = False
  incomplete: bool = False


NO_CHOICES = Choices()
