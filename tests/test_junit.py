"""JUnit files: what is in them, and that a build server takes them."""

import pathlib
from xml.etree import ElementTree

import answers
import pytest

from heterojax.cli import junit
from heterojax.differences.values import Item
from heterojax.launch import verify
from heterojax.records import codec
from heterojax.run import artifacts
from heterojax.studies.answer import answer

SCHEMA = pathlib.Path(__file__).parent / 'data' / 'junit.xsd'


def results() -> dict:
  found = answer.verdict(answers.found_in_first(4), answers.facts(4))
  tree = codec.encode(found)
  states = ('fail', 'warn', 'pass')
  for condition, state in zip(tree['conditions'], states):
    condition['state'] = state
  return {'verdict': tree}


def written(tmp_path: pathlib.Path, cases: list[junit.Case]) -> pathlib.Path:
  path = tmp_path / 'junit.xml'
  junit.write(str(path), 'runs/mine', cases)
  return path


def test_each_condition_is_a_case(tmp_path) -> None:
  tree = results()
  cases = [*junit.of_results(tree, 'overall.auc < 0.9', True)]
  root = ElementTree.parse(written(tmp_path, cases)).getroot()
  (suite,) = root
  names = [case.get('name') for case in suite]
  conditions = tree['verdict']['conditions']
  assert names == [
    *(c['name'] for c in conditions),
    'overall.auc < 0.9',
    'finished',
  ]
  failed = [c.get('name') for c in suite if c.find('failure') is not None]
  expected = [c['name'] for c in conditions if c['state'] == 'fail']
  assert failed == [*expected, 'overall.auc < 0.9']
  assert suite.get('failures') == str(len(failed))
  assert suite.get('tests') == str(len(names))
  said = suite[0].find('failure').get('message')
  assert said == conditions[0]['sentence']
  # What warns passes, and says so.
  assert suite[1].find('failure') is None
  assert suite[1].find('system-out').text.startswith('warn: ')


def test_a_run_without_an_answer_is_one_case(tmp_path) -> None:
  (case,) = junit.of_results({'verdict': None}, None, False)
  root = ElementTree.parse(written(tmp_path, [case])).getroot()
  assert [c.get('name') for c in root.iter('testcase')] == ['finished']


def test_names_that_xml_cannot_hold(tmp_path) -> None:
  case = junit.Case('conditions', 'a<b & "c"\x00\x1b\ud800', 'no\x08 & <>')
  root = ElementTree.parse(written(tmp_path, [case])).getroot()
  (one,) = root.iter('testcase')
  assert one.get('name').startswith('a<b & "c"\\x00\\x1b')
  assert one.find('failure').get('message') == 'no\\x08 & <>'


def test_the_schema_of_build_servers(tmp_path) -> None:
  etree = pytest.importorskip('lxml.etree')
  schema = etree.XMLSchema(etree.parse(SCHEMA))
  cases = [*junit.of_results(results(), 'a < 1', False)]
  schema.assertValid(etree.parse(written(tmp_path, cases)))
  text = written(tmp_path, cases).read_text()
  # A case without a name is none.
  broken = etree.fromstring(text.replace(' name=', ' nom=').encode())
  assert not schema.validate(broken)


def test_two_runs_as_cases() -> None:
  items = [
    Item('fields', 'overall.auc', 'different', '0.9 here, 0.8 there'),
    Item('fields', 'seed', 'identical'),
    Item('tables', 'clusters.csv', 'identical'),
  ]
  assert [*junit.of_items(items, 'different')] == [
    ('fields', 'overall.auc', '0.9 here, 0.8 there', ''),
    ('tables', 'agree', '', '1 are compared'),
  ]


def test_verify_writes_what_is_wrong(tmp_path, capsys) -> None:
  run = tmp_path / 'run'
  run.mkdir()
  for name in ('config.json', 'manifest.csv', 'clusters.csv'):
    (run / name).write_text('{}')
  artifacts.seal(run)
  path, words = tmp_path / 'junit.xml', ['verify.py', f'--workdir={run}']
  words.append(f'--junit={path}')
  assert verify.main(words) == 0
  assert not [*ElementTree.parse(path).getroot().iter('failure')]
  (run / 'manifest.csv').write_text('[]')
  (run / 'clusters.csv').unlink()
  assert verify.main(words) == 1
  capsys.readouterr()
  root = ElementTree.parse(path).getroot()
  said = [failure.get('message') for failure in root.iter('failure')]
  assert sorted(said) == ['missing: clusters.csv', 'tampered: manifest.csv']
