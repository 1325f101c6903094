"""The command that compares runs: its files, its mistakes."""

import copy
import csv
import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import answers
import pytest

from heterojax.errors import UserError
from heterojax.launch import compare
from heterojax.records import codec
from heterojax.studies import reading
from heterojax.studies.answer import answer
from heterojax.studies.retraining import wang2023

EXAMPLE = (
  pathlib.Path(__file__).parent.parent / 'docs' / 'results_retraining.json'
)
HOSTILE = '<script>alert(1)</script>'
HEADER = 'data,table,row,metric,source,value,lo,hi,interval,n,note'


def launch(*args: str) -> int:
  return compare.main(['compare.py', *args])


def example(**fields: Any) -> dict[str, Any]:
  return json.loads(EXAMPLE.read_text()) | fields


def write(folder: pathlib.Path, results: Any) -> pathlib.Path:
  folder.mkdir(parents=True, exist_ok=True)
  text = results if isinstance(results, str) else json.dumps(results)
  (folder / 'results.json').write_text(text)
  return folder


def renamed(results: dict[str, Any], names: tuple[str, str]) -> dict[str, Any]:
  """The same results of another pair of classes."""
  d = results['dataset']
  text = json.dumps(results)
  for old, new in zip((d['positive'], d['negative']), names):
    text = text.replace(json.dumps(old), json.dumps(new))
  return json.loads(text)


@pytest.fixture(name='two')
def _two(tmp_path: pathlib.Path) -> str:
  a = write(tmp_path / 'a', example(protocol='clean'))
  b = write(tmp_path / 'b', example(protocol='published'))
  return f'--workdirs={a},{b}'


def test_writes_three_files_and_prints_the_path(
  two: str, tmp_path: pathlib.Path, capfd
) -> None:
  out = tmp_path / 'a' / 'comparison'
  assert launch(two) == 0
  assert str(out / 'comparison.html') in capfd.readouterr().out
  assert sorted(p.name for p in out.iterdir()) == [
    '.heterojax.json',
    'comparison.csv',
    'comparison.html',
    'comparison.json',
  ]
  assert launch(two, f'--out={tmp_path / "new" / "out"}') == 0
  for path in out.iterdir():
    again = tmp_path / 'new' / 'out' / path.name
    assert path.read_bytes() == again.read_bytes()


def test_the_page_names_no_folder_of_the_machine(
  tmp_path: pathlib.Path,
) -> None:
  places = 'a/run', 'b/run', 'other'
  folders = [str(write(tmp_path / place, example())) for place in places]
  for folder in folders:
    config = {'data': {'dir': f'{folder}/images'}}
    (pathlib.Path(folder) / 'config.json').write_text(json.dumps(config))
  out = tmp_path / 'out'
  assert launch(f'--workdirs={",".join(folders)}', f'--out={out}') == 0
  page = (out / 'comparison.html').read_text()
  assert str(tmp_path) not in page
  for place in places:
    assert f'<td class="text">{place}</td>' in page


def test_a_comparison_of_the_user_stays(
  two: str, tmp_path: pathlib.Path, capfd
) -> None:
  (tmp_path / 'comparison.csv').write_text('mine')
  assert launch(two, f'--out={tmp_path}') == 2
  assert 'holds comparison.csv beside other files' in capfd.readouterr().err
  assert (tmp_path / 'comparison.csv').read_text() == 'mine'


def test_a_comparison_beside_its_runs_is_made_anew(
  two: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
  def killed(source: pathlib.Path, target: pathlib.Path) -> None:
    if target.name == 'comparison.json':
      raise KeyboardInterrupt
    replace(source, target)

  replace = os.replace
  with monkeypatch.context() as patched:
    patched.setattr(os, 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
      launch(two, f'--out={tmp_path}')
  assert (tmp_path / 'comparison.csv').exists()
  for _ in range(2):
    assert launch(two, f'--out={tmp_path}') == 0
  assert (tmp_path / 'comparison.html').exists()


def test_csv_and_json_hold_the_same_cells(
  two: str, tmp_path: pathlib.Path
) -> None:
  assert launch(two, f'--out={tmp_path}') == 0
  with (tmp_path / 'comparison.csv').open(newline='') as file:
    rows = list(csv.DictReader(file))
  assert ','.join(rows[0]) == HEADER
  found = json.loads((tmp_path / 'comparison.json').read_text())
  assert found['schema_version'] == 2
  (group,) = found['groups']
  empty = lambda value: '' if value is None else str(value)
  assert [
    {'data': 'cataract vs. normal fundus'}
    | {name: empty(value) for name, value in cell.items()}
    for cell in group['cells']
  ] == rows
  assert [run['label'] for run in group['runs']] == [
    'clean protocol',
    'published protocol',
  ]
  known = wang2023.published('cataract', 'normal fundus')
  value = next(
    float(row['value'])
    for row in rows
    if row['source'] == 'Wang 2023'
    and row['row'] == 'cluster 3'
    and row['metric'] == 'retrained_auc'
  )
  assert value == known.clusters[3].retrained.value('auc') == 0.97


def test_a_run_without_an_area_has_no_rank(tmp_path: pathlib.Path) -> None:
  known = example(protocol='clean')
  none = {'auc': None, 'auc_why': 'one class was tested'}
  folders = [
    write(tmp_path / 'a', known | {'overall': known['overall'] | none}),
    write(tmp_path / 'b', known),
  ]
  workdirs = ','.join(map(str, folders))
  assert launch(f'--workdirs={workdirs}', f'--out={tmp_path / "out"}') == 0
  found = json.loads((tmp_path / 'out' / 'comparison.json').read_text())
  assert len(found['groups'][0]['runs']) == 2
  assert found['groups'][0]['ranking'] == ['b']


def test_one_run_beside_the_paper(tmp_path: pathlib.Path) -> None:
  folder = write(tmp_path / 'a', example())
  assert launch(f'--workdirs={folder}') == 0
  html = (folder / 'comparison' / 'comparison.html').read_text()
  assert 'What the protocol changes' not in html
  assert 'Table 3' in html and 'Figure 1' in html


def test_the_answers_of_the_runs(tmp_path: pathlib.Path) -> None:
  found = answer.verdict(answers.found_in_first(4), answers.facts(4))
  earlier = example()  # Of a release without an answer.
  del earlier['verdict']
  folders = [
    write(tmp_path / 'a', earlier),
    write(tmp_path / 'b', example(verdict=codec.encode(found))),
  ]
  assert launch(f'--workdirs={",".join(map(str, folders))}') == 0
  html = (folders[0] / 'comparison' / 'comparison.html').read_text()
  question = re.search('<p class="question">(.*?)</p>', html)
  # Of which one has an answer at all.
  assert question and question[1] == (
    'One run has an answer: yes. 1 run had no answer.'
  )
  cells = re.findall(r'<td[^>]*>(yes|<span[^<]*)<', html)
  assert 'yes' in cells and 'p = .005' in html
  assert 'not asked' in html


def test_each_pair_of_classes_has_a_section(tmp_path: pathlib.Path) -> None:
  chest = renamed(example(), ('Cardiomegaly', 'No Finding'))
  folders = [
    write(tmp_path / 'fundus', example()),
    write(tmp_path / 'chest', chest),
    write(tmp_path / 'other', renamed(example(), ('glaucoma', 'healthy'))),
  ]
  given = ','.join(map(str, folders))
  assert launch(f'--workdirs={given}', f'--out={tmp_path}') == 0
  html = (tmp_path / 'comparison.html').read_text()
  assert re.findall(r'<h2 [^>]*>(.*?)</h2>', html) == [
    'The answers',
    'cataract against normal fundus',
    'Cardiomegaly against No Finding',
    'glaucoma against healthy',
    'How to read it',
  ]
  for name in ('Table 1.', 'Table 2.', 'Table 3.', 'Table 4.', 'Figure 2.'):
    assert html.count(f'<h3>{name}') == 1


@pytest.mark.parametrize('name', ['results_retraining', 'results_sample_size'])
def test_what_stands_below_a_value_is_of_the_study(
  tmp_path: pathlib.Path, name: str
) -> None:
  results = json.loads((EXAMPLE.parent / f'{name}.json').read_text())
  folders = [write(tmp_path / label, results) for label in 'ab']
  given = ','.join(map(str, folders))
  assert launch(f'--workdirs={given}', f'--out={tmp_path}') == 0
  html = (tmp_path / 'comparison.html').read_text()
  how = html[html.index('How to read it</h2>') :]
  # Folds have no interval, but a smallest and a largest.
  assert ('Below a value stands its 95%' in how) == ('retraining' in name)
  assert ('mean of the folds' in how) == ('sample_size' in name)


def test_nothing_is_written_through_a_link(
  tmp_path: pathlib.Path, two: str, capfd
) -> None:
  link = tmp_path / 'a' / 'comparison'
  (tmp_path / 'mine').mkdir()
  link.symlink_to(tmp_path / 'mine')
  assert launch(two) == 2
  assert f'{link} is a link, and' in capfd.readouterr().err
  assert not any((tmp_path / 'mine').iterdir())
  assert launch(two, f'--out={link}') == 0  # As it was named.


def test_page_loads_nothing_and_escapes_names(tmp_path: pathlib.Path) -> None:
  names = (f'{HOSTILE} & \ud800', '" onload="x')
  results = renamed(example(), names)
  results['dataset']['name'] = HOSTILE
  results['backbone'] |= {'name': HOSTILE, 'weights': HOSTILE}
  results['overall'] |= {'auc': None, 'auc_why': HOSTILE}
  other = copy.deepcopy(results) | {'protocol': 'published'}
  folders = [
    write(tmp_path / '<b>a', results | {'protocol': 'clean'}),
    write(tmp_path / '<b>b', other),
  ]
  given = ','.join(map(str, folders))
  assert launch(f'--workdirs={given}', f'--out={tmp_path}') == 0
  html = (tmp_path / 'comparison.html').read_text()
  html, scripts = re.subn('(?s)<script>.*?</script>', '', html)
  assert scripts == 1  # The page's own.
  assert '<script' not in html and '<b>a' not in html
  assert '" onload="' not in html
  assert html.count('&lt;script&gt;alert(1)&lt;/script&gt;') > 10
  html = re.sub('data:[^"]*', 'data:', html)
  links = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\'\s>)]+)', html)
  assert links and all(link.startswith(('data:', '#')) for link in links)
  assert not re.findall('@import|https?://', html)


def damaged(**fields: Any) -> dict[str, Any]:
  """The example with fields, given by path, changed; None deletes one."""
  results = example()
  for path, value in fields.items():
    *where, last = path.split('__')
    tree = results
    for name in where:
      tree = tree[int(name) if name.isdigit() else name]
    if value is None:
      del tree[last]
    else:
      tree[last] = value
  return results


@pytest.mark.parametrize(
  'results, says',
  [
    ('', 'is damaged (it is not JSON)'),
    ('{"study": "retraining", "seed": NaN}', 'it is not JSON'),
    ('[' * 100_000, 'it is not JSON'),
    ('[1]', 'is damaged (it is not an object)'),
    ({}, 'of the study None, which this version of heterojax does not know'),
    ({'study': 'sample_size'}, 'has the schema_version None'),
    (example(schema_version=2), 'has the schema_version 2'),
    (damaged(overall=None), 'is damaged (results has no field overall)'),
    (damaged(overall__auc='high'), "results.overall.auc is 'high', not a"),
    (damaged(overall__auc=True), 'results.overall.auc is True, not a number'),
    (damaged(overall__auc=float('1e999')), 'it is not JSON'),
    (damaged(overall__auc=10**400), 'results.overall.auc is 1000'),
    (
      damaged(overall__tp=None),
      'results.overall has neither tp, fp, tn and fn nor answers',
    ),
    (
      damaged(overall__intervals={'auc': [1]}),
      'results.overall.intervals.auc has 1 entries, not 2',
    ),
    (damaged(clusters=[]), 'there are no clusters'),
    (damaged(clusters=[7]), 'results.clusters[0] is 7, not an object'),
    (damaged(clusters__1__size=-1), 'a cluster has a negative size'),
    (damaged(clusters__1__id=None), 'results.clusters[1] has no field id'),
    (
      damaged(clusters__2__random__runs=None),
      'results.clusters[2].random has no field runs',
    ),
    (damaged(between_cluster_distances=[[0]]), 'has another size'),
    (
      damaged(dataset__n_test='many'),
      "results.dataset.n_test is 'many', not a whole number",
    ),
    (damaged(dataset__class_counts_test={}), "of test have no 'cataract'"),
    (
      damaged(clusters__1__class_counts={}),
      "the counts of cluster 1 have no 'cataract'",
    ),
    (damaged(dataset__notes=[1]), 'results.dataset.notes[0] is 1, not text'),
    (damaged(leaks=[]), 'results.leaks is [], not an object'),
    (damaged(leaks__same_path='x'), "results.leaks.same_path is 'x'"),
    (
      damaged(leaks__same_path__cataract={}),
      'results.leaks.same_path.cataract is {}, not a whole number',
    ),
    (
      damaged(reduction__n_components=[]),
      'results.reduction.n_components is []',
    ),
    (
      damaged(cluster__method='spectral'),
      "results.cluster has the unknown method 'spectral'",
    ),
    (damaged(split=5), 'results.split is 5, not an object'),
    (damaged(split__folds='x'), "results.split.folds is 'x'"),
    ({'study': ['retraining']}, "of the study ['retraining'], which"),
  ],
)
def test_results_that_cannot_be_compared(
  tmp_path: pathlib.Path, capfd, results: Any, says: str
) -> None:
  folder = write(tmp_path / 'a', results)
  assert launch(f'--workdirs={folder}') == 2
  one_sentence(capfd.readouterr().err, says)
  assert os.listdir(folder) == ['results.json']


@pytest.mark.parametrize(
  'fields',
  [
    {'clusters': []},
    {'cluster__method': 'column:'},
    {'dataset__positive': 'glaucoma'},
    {'between_cluster_distances': [[0]]},
  ],
)
def test_whoever_reads_results_finds_what_does_not_fit(
  tmp_path: pathlib.Path, fields: dict[str, Any]
) -> None:
  """A report that is drawn again took them for a mistake of the program."""
  folder = write(tmp_path / 'a', damaged(**fields))
  with pytest.raises(UserError, match='is damaged'):
    reading.read(pathlib.Path(folder) / 'results.json')


def test_infinity_written_as_a_number(tmp_path: pathlib.Path, capfd) -> None:
  text = json.dumps(damaged(overall__auc=0.123456789)).replace(
    '0.123456789', '1e999'
  )
  assert launch(f'--workdirs={write(tmp_path / "a", text)}') == 2
  one_sentence(capfd.readouterr().err, 'results.overall.auc is inf')


def one_sentence(error: str, says: str) -> None:
  assert error.startswith('heterojax: ') and error.count('\n') == 1
  assert says in error and error.rstrip().endswith('.')
  assert 'Traceback' not in error


@pytest.mark.parametrize(
  'flags, says',
  [
    ([], 'Say which run folders to compare with --workdirs=A,B'),
    (['--workdirs='], 'Say which run folders'),
    (['--workdirs=a,'], 'Say which run folders'),
    (['--workdirs=a,missing'], 'There is no missing/results.json'),
    (['--workdirs=a,a'], 'names one folder twice (a and a)'),
    (['--workdirs=a,./b/../a'], 'names one folder twice (a and ./b/../a)'),
    (['--workdirs=a,link'], 'names one folder twice (a and link)'),
    (['--workdirs=a/results.json'], 'There is no a/results.json/results'),
    (['--workdirs=folder'], 'There is no folder/results.json'),
    (
      ['--workdirs=a', '--out=a/results.json'],
      'cannot be used (File exists)',
    ),
    (['--workdirs=a', '--config=demo'], 'There is no flag --config'),
    (['--workdirs', 'a', 'b'], "'b' is not a flag"),
  ],
)
def test_mistakes_in_usage(
  tmp_path: pathlib.Path, monkeypatch, capfd, flags: list[str], says: str
) -> None:
  monkeypatch.chdir(tmp_path)
  write(tmp_path / 'a', example())
  write(tmp_path / 'b', example())
  (tmp_path / 'link').symlink_to('a')
  (tmp_path / 'folder' / 'results.json').mkdir(parents=True)
  assert launch(*flags) == 2
  one_sentence(capfd.readouterr().err, says)


def test_a_file_that_may_not_be_read(tmp_path: pathlib.Path, capfd) -> None:
  folder = write(tmp_path / 'a', example())
  (folder / 'results.json').chmod(0)
  # Root reads everything.
  expected = 0 if os.access(folder / 'results.json', os.R_OK) else 2
  assert launch(f'--workdirs={folder}', f'--out={tmp_path}') == expected
  if expected:
    one_sentence(capfd.readouterr().err, 'check its permissions')


def test_help_needs_no_run(capsys) -> None:
  with pytest.raises(SystemExit) as caught:
    launch('--help')
  assert caught.value.code == 0
  text = capsys.readouterr().out
  assert '--workdirs' in text and '--out' in text
  assert 'Configurations' not in text and '--config' not in text


@pytest.mark.slow
def test_the_command_as_a_user_types_it(two: str, tmp_path) -> None:
  done = subprocess.run(
    [sys.executable, '-m', 'heterojax.launch.compare', two],
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert 'The comparison is at ' in done.stdout
