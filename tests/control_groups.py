"""Made-up trees of control groups."""

from collections.abc import Mapping
import pathlib


def write(root: pathlib.Path, files: Mapping[str, str]) -> None:
  """Writes files of groups, by their paths below the root."""
  for name, text in files.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
