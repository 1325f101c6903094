"""Scripts that complete commands, configurations and fields in a shell."""

from collections.abc import Iterator
import shlex

from heterojax.cli import commands
from heterojax.cli import configurations
from heterojax.studies.checks import FIELDS

_BASH = """\
_heterojax() {{
  local word=${{COMP_WORDS[COMP_CWORD]}}
  if [[ $word == = || ${{COMP_WORDS[COMP_CWORD-1]}} == = ]]; then return; fi
  if (( COMP_CWORD == 1 )); then
    COMPREPLY=($(compgen -W '{commands} {configurations}' -- "$word"))
  else
    COMPREPLY=($(compgen -S = -W '{fields}' -- "$word"))
    compopt -o nospace
  fi
}}
complete -o default -F _heterojax heterojax
"""
_ZSH = """\
#compdef heterojax
_heterojax() {{
  local -a commands fields
  commands=({commands})
  fields=({fields})
  (( CURRENT == 2 )) && _describe command commands
  (( CURRENT > 2 )) && _describe -t fields field fields -S =
  _files
}}
compdef _heterojax heterojax
"""


def _described() -> Iterator[tuple[str, str]]:
  """Every first word and what it means."""
  for name, command in commands.COMMANDS.items():
    yield name, command.about
  for name in configurations.names():
    yield name, configurations.about(name)


def bash() -> str:
  return _BASH.format(
    commands=' '.join(commands.COMMANDS),
    configurations=' '.join(configurations.names()),
    fields=' '.join(FIELDS),
  )


def zsh() -> str:
  """Words with what they mean, divided by a colon."""
  known = (f'{name}:{about}' for name, about in _described())
  fields = (f'{field.name}:{field.meaning}' for field in FIELDS.values())
  return _ZSH.format(commands=shlex.join(known), fields=shlex.join(fields))


def fish() -> str:
  first = '__fish_is_first_token'
  lines = [
    _fish(name, about, first if name in commands.COMMANDS else '')
    for name, about in _described()
  ]
  for field in FIELDS.values():
    lines.append(_fish(f'{field.name}=', field.meaning, f'not {first}'))
  return ''.join(lines)


def _fish(word: str, about: str, condition: str) -> str:
  options = ['complete', '-c', 'heterojax', '-a', word, '-d', about]
  return shlex.join(options + (['-n', condition] if condition else [])) + '\n'


SHELLS = {'bash': bash, 'zsh': zsh, 'fish': fish}
