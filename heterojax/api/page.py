"""A fitted study in a notebook: the answer and the key figure."""

import html
import pathlib

from heterojax.api.results import Verdict
from heterojax.report import embedding
from heterojax.report import formatting

# Of each study, that which its report is about.
_FIGURES = {
  'retraining': 'table3_retrained_vs_random.png',
  'sample_size': 'figure4_cv.png',
}


def render(study: str, verdict: Verdict | None, folder: pathlib.Path) -> str:
  """HTML of a finished run.

  Args:
    study: its name.
    verdict: its answer, if it has one.
    folder: of the run.
  """
  parts = []
  if verdict is not None:
    # A sentence begins with its answer, if with any.
    said, answer = verdict.sentence, verdict.answer
    end = len(answer) if said.lower().startswith(answer) else 0
    first, rest = html.escape(said[:end]), html.escape(said[end:])
    parts.append(f'<p><b>{first}</b>{rest}</p>')
  figure = folder / 'figures' / _FIGURES.get(study, '')
  # A run of others may hold a link to what is not for whoever sees the page.
  if figure.is_file() and not figure.is_symlink():
    data = embedding.picture(figure.read_bytes(), 'png')
    parts.append(
      f'<img style="max-width:100%" alt="{html.escape(figure.stem)}"'
      f' src="{data}">'
    )
  report = html.escape(str(folder / 'report.html'))
  parts.append(f'<p>The report is at <code>{report}</code>.</p>')
  return formatting.seen(f'<div>{"".join(parts)}</div>')
