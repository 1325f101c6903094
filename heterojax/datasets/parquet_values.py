"""Prints how many values a Parquet file declares; it is run as a script.

pyarrow ends its own process where what a column says of its sizes does not fit
its type. It imports nothing of this package, so that it starts at once.
"""

import sys

import pyarrow.parquet


def main(path: str) -> None:
  """Prints the sum over row groups and columns."""
  metadata = pyarrow.parquet.read_metadata(path)
  groups = map(metadata.row_group, range(metadata.num_row_groups))
  print(
    sum(
      group.column(c).num_values
      for group in groups
      for c in range(metadata.num_columns)
    )
  )


if __name__ == '__main__':
  main(sys.argv[1])
