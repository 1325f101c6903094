"""The records of a sample-size study: two kinds of scores, older files."""

import copy
import json
import pathlib

import pytest
from sample_size_results import example

from heterojax.records import codec
from heterojax.stats.scores import RegressionScore
from heterojax.stats.scores import Score
from heterojax.studies.sample_size.records import Results

EXAMPLE = pathlib.Path(__file__).parent.parent / 'docs/results_sample_size.json'


@pytest.mark.parametrize(
  'task, kind', [('classification', Score), ('regression', RegressionScore)]
)
def test_scores_are_told_apart_by_their_fields(task: str, kind: type) -> None:
  results = example(task, sizes=(100,))
  text = json.dumps(codec.encode(results), allow_nan=False)
  read = codec.decode(Results, json.loads(text))
  assert read == results
  assert {type(fold.scores) for fold in read.sizes[0].folds} == {kind}


def test_a_score_of_no_kind_is_named_by_path() -> None:
  tree = codec.encode(example(sizes=(100,)))
  del tree['sizes'][0]['folds'][1]['scores']['n']
  with pytest.raises(codec.Mismatch, match=r'sizes\[0\].folds\[1\].scores'):
    codec.decode(Results, tree)


def test_files_of_earlier_releases() -> None:
  tree = json.loads(EXAMPLE.read_text())
  older = copy.deepcopy(tree)
  for name in ('predictions', 'leaks', 'shortcuts'):
    del older[name]
  for size in older['sizes']:
    del size['band_unit'], size['band_draws'], size['band_stays']
    for fold in size['folds']:
      del fold['coinciding']
      fold |= {'band_unit': 'group', 'band_exchanged': 1.0}
  results = codec.decode(Results, older)
  assert (results.predictions, results.leaks, results.shortcuts) == (None,) * 3
  assert not results.predictions_given
  assert results.largest.band_unit == 'image'
  # Their band exchanged images of all classes.
  assert not results.within_classes
  assert codec.decode(Results, tree).within_classes
  assert {fold.coinciding for fold in results.largest.folds} == {()}


def test_the_example_is_written_as_it_was_read() -> None:
  text = EXAMPLE.read_text()
  results = codec.decode(Results, json.loads(text))
  assert json.dumps(codec.encode(results), indent=2) + '\n' == text
