"""Writes docs/fields.md: python -m heterojax.cli.reference."""

import pathlib

from heterojax.cli import texts
from heterojax.studies import fields
from heterojax.studies.checks import FIELDS
from heterojax.studies.settings import Settings

PATH = pathlib.Path(__file__).resolve().parents[2] / 'docs' / 'fields.md'
_REFERENCE = """\
# Fields

Every field of a configuration, and its default; each is set as
`data.dir=DATA`, `--data.dir=DATA` or `--config.data.dir=DATA`. A configuration
(`configs/`) and a study set others: `--dry_run` and `config.json` say which
were used. `python -m heterojax.cli.reference` writes this file.
"""


def text() -> str:
  """All fields as Markdown."""
  known = {'': Settings} | fields.sections(Settings)
  parts = [_REFERENCE]
  for section, kind in known.items():
    title = f'`{section}`: {kind.__doc__}' if section else 'In no section'
    rows = [f for f in FIELDS.values() if f.name.rpartition('.')[0] == section]
    parts += [f'## {title}', '| field | default | |\n|---|---|---|']
    parts[-1] += ''.join(f'\n{_row(field)}' for field in rows)
  return '\n\n'.join(part.rstrip() for part in parts) + '\n'


def _row(field: fields.Field) -> str:
  said = texts.sentence(field).replace('|', '\\|')
  return f'| `{field.name}` | `{field.default_text}` | {said} |'


if __name__ == '__main__':
  PATH.write_text(text(), encoding='utf-8')
