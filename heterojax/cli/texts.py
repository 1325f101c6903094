"""Help, from what declares commands, configurations and fields."""

import textwrap

from heterojax.cli import commands
from heterojax.cli import configurations
from heterojax.studies import fields
from heterojax.studies.checks import FIELDS

_WIDTH = 80
_HELP = """\
heterojax: does the heterogeneity of medical images change what a CNN learns?

Usage: heterojax COMMAND ... | heterojax DATA   (run on a folder or a table)

Commands:
{commands}

Fields of a configuration are set as data.positive=glaucoma or --cluster.k=3;
a run without --workdir=DIR is kept in runs/, and the same command goes on
with it. Configurations:
{configurations}

Examples:
  heterojax demo
  heterojax run DATA data.positive=glaucoma data.negative=normal
  heterojax list runs

  --helpfull       every field, its default and what it means
  COMMAND --help   the flags of a command
  --version
"""


def screen() -> str:
  """`heterojax --help`."""
  left = {
    name: f'  {name} {command.takes}'
    for name, command in commands.COMMANDS.items()
  }
  width = max(map(len, left.values())) + 2
  lines = [
    f'{left[name]:{width}}{command.about}'
    for name, command in commands.COMMANDS.items()
  ]
  names = ', '.join(configurations.names())
  return _HELP.format(
    commands='\n'.join(lines),
    configurations=textwrap.fill(names, _WIDTH, initial_indent='  '),
  )


def fields_text() -> str:
  """All fields for a terminal."""
  lines = []
  for field in FIELDS.values():
    lines.append(f'  {field.name}={field.default_text}')
    lines.append(textwrap.indent(textwrap.fill(sentence(field), 72), ' ' * 8))
  return '\n'.join(lines)


def sentence(field: fields.Field) -> str:
  """What a field means, and what it may be."""
  said = field.meaning
  if choices := [word for word in field.choices if word]:
    said += f' One of {", ".join(choices)}'
    said += ', or a known group.' if field.also else '.'
  if field.least is not None:
    said += f' {field.least} or more.'
  return said
