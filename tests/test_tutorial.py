"""The notebook is run, and says what its text says."""

import pathlib

import pytest

_NOTEBOOK = (
  pathlib.Path(__file__).resolve().parent.parent / 'docs/tutorial.ipynb'
)


@pytest.mark.slow
def test_the_tutorial_runs_and_its_answers_are_as_told(tmp_path) -> None:
  nbclient = pytest.importorskip('nbclient')
  nbformat = pytest.importorskip('nbformat')
  notebook = nbformat.read(_NOTEBOOK, as_version=4)
  nbformat.validate(notebook)
  nbclient.NotebookClient(
    notebook, timeout=900, resources={'metadata': {'path': str(tmp_path)}}
  ).execute()
  said = [
    output['text']
    for cell in notebook.cells
    for output in cell.get('outputs', [])
    if output.get('name') == 'stdout'
  ]
  answers = [t for t in said if t.startswith(('Yes', 'No sign', 'Too', 'It'))]
  assert [text.partition(' ')[0].strip(':') for text in answers] == [
    *('No', 'Yes', 'No'),
  ]
  clusters = next(text for text in said if text.startswith('0 Counter'))
  # A cluster is a scanner, but for a few in a hundred.
  for line in clusters.splitlines():
    counts = eval(line.partition('Counter')[2])
    assert max(counts.values()) > 0.97 * sum(counts.values())
  shown = [
    output['data']['text/html']
    for cell in notebook.cells
    for output in cell.get('outputs', [])
    if 'text/html' in output.get('data', {})
  ]
  assert len(shown) == 3
  assert '<b>No sign</b>' in shown[0] and '<b>Yes</b>' in shown[-1]
