"""Completes words of `heterojax` in a shell: heterojax completion bash.

bash: eval "$(heterojax completion bash)" in ~/.bashrc; zsh: the same in
~/.zshrc, after compinit; fish: heterojax completion fish | source.

Exit codes: 0 done, 2 a mistake in usage.
"""

import sys

from absl import flags

from heterojax import cli
from heterojax.cli import completion
from heterojax.errors import UserError

_FLAGS = (
  (flags.DEFINE_string, 'shell', None, 'bash, zsh or fish.'),
  (flags.DEFINE_bool, 'debug', False, 'Show tracebacks.'),
)


def _completion(values: flags.FlagValues) -> int:
  if values.shell not in completion.SHELLS:
    raise UserError(
      'Say for which shell: heterojax completion'
      f' {"|".join(completion.SHELLS)}.'
    )
  print(completion.SHELLS[values.shell](), end='')
  return 0


def main(argv: list[str] | None = None) -> int:
  """Returns the exit code."""
  argv = sys.argv if argv is None else argv
  return cli.run(
    _FLAGS, _completion, argv, about=__doc__, config=False, bare='shell'
  )


if __name__ == '__main__':
  sys.exit(main())
