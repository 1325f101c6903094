"""The commands of `heterojax`: one line each, from which help is made."""

from typing import NamedTuple


class Command(NamedTuple):
  """A command.

  Attributes:
    module: of `launch`, whose `main` it is.
    takes: what follows it, as help shows it.
    about: what it does.
    first: words that stand before those of the user.
  """

  module: str
  takes: str
  about: str
  first: tuple[str, ...] = ()


COMMANDS = {
  'run': Command('study', 'DATA or NAME', 'Runs a study on your data.'),
  'demo': Command(
    'study', '', 'Runs a study on made-up images.', ('--config=demo',)
  ),
  'list': Command('listing', '[FOLDER]', 'Lists what there is, or the runs.'),
  'open': Command('opening', 'RUN', 'Shows the report of a run.'),
  'report': Command('report', 'RUN', 'Draws the report of a run again.'),
  'verify': Command('verify', 'RUN', 'Checks a run, or computes it once more.'),
  'compare': Command('compare', 'RUN RUN ...', 'Puts runs beside each other.'),
  'bakeoff': Command(
    'bakeoff', 'DATA', 'Ranks networks or features by runs of a study.'
  ),
  'export': Command(
    'export', 'RUN', 'Writes the images of a run for other programs.'
  ),
  'prepare': Command('prepare', 'DATA', 'Packs images into few large files.'),
  'features': Command('features', 'DATA', 'Computes features alone.'),
  'weights': Command(
    'weights', '[NAME]', 'Says where weights are, or gets them.'
  ),
  'init': Command('init', 'NAME', 'Writes a configuration to start from.'),
  'completion': Command(
    'completion', 'bash|zsh|fish', 'Writes what completes words in a shell.'
  ),
}
