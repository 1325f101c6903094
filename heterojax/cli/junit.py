"""JUnit's XML, which build servers show as tests.

A condition that an answer rests on is a test case, and fails where the report
says that it does; so is the condition of `--fail_if`, and what is verified.
"""

from collections.abc import Iterator, Mapping, Sequence
import pathlib
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from heterojax import cli
from heterojax.run import artifacts
from heterojax.run import atomic
from heterojax.run import outputs

if TYPE_CHECKING:
  from heterojax import differences

_FAIL = 'fail'


class Case(NamedTuple):
  """A test case.

  Attributes:
    kind: what it is one of.
    name: of those.
    failure: why it failed; '' where it passed.
    said: what else is known of it.
  """

  kind: str
  name: str
  failure: str = ''
  said: str = ''


def of_results(
  results: Mapping[str, Any], fail_if: str | None, failed: bool
) -> Iterator[Case]:
  """The cases of a run.

  Args:
    results: what `results.json` holds.
    fail_if: the condition, if there was one.
    failed: whether it holds.
  """
  verdict = results.get('verdict') or {}
  for condition in verdict.get('conditions', ()):
    state, sentence = condition['state'], condition['sentence']
    failure = sentence if state == _FAIL else ''
    said = '' if failure else f'{state}: {sentence}'
    yield Case('conditions', condition['name'], failure, said)
  if fail_if is not None:
    yield Case('fail_if', fail_if, f'{fail_if} holds.' if failed else '')
  # No build server takes a suite without one.
  yield Case('study', 'finished', said=verdict.get('sentence', ''))


def of_artifacts(folder: pathlib.Path) -> list[Case]:
  """The cases of a run folder: one, or each artifact that is not as it was."""
  faults = artifacts.problems(folder)
  if not faults:
    said = f'{len(artifacts.read(folder))} artifacts are as they were written'
    return [Case('artifacts', str(folder), said=said)]
  return [Case('artifacts', f'{folder}/{f.path}', str(f)) for f in faults]


def of_items(
  items: Sequence['differences.Item'], different: str
) -> Iterator[Case]:
  """The cases of two runs: each kind that agrees, or what of it does not.

  Args:
    items: all that was compared.
    different: the verdict on what does not agree.
  """
  of_kind: dict[str, list[differences.Item]] = {}
  for item in items:
    of_kind.setdefault(item.kind, []).append(item)
  for kind, each in of_kind.items():
    differ = [item for item in each if item.verdict == different]
    for item in differ:
      yield Case(kind, item.name, item.detail or item.verdict)
    if not differ:
      yield Case(kind, 'agree', said=f'{len(each)} are compared')


def write(path: str | None, suite: str, cases: Sequence[Case]) -> None:
  """Writes a suite.

  Args:
    path: of the file; None writes nothing.
    suite: its name.
    cases: at least one.
  """
  if path is None:
    return
  failures = sum(bool(case.failure) for case in cases)
  counts = {'tests': str(len(cases)), 'failures': str(failures), 'errors': '0'}
  root = ElementTree.Element('testsuites')
  of_suite = {'name': cli.sentence(suite), **counts}
  top = ElementTree.SubElement(root, 'testsuite', of_suite)
  for case in cases:
    one = ElementTree.SubElement(
      top,
      'testcase',
      classname=f'heterojax.{case.kind}',
      name=cli.sentence(case.name),
    )
    if case.failure:
      message = cli.sentence(case.failure)
      ElementTree.SubElement(one, 'failure', message=message, type=case.kind)
    if case.said:
      ElementTree.SubElement(one, 'system-out').text = cli.sentence(case.said)
  ElementTree.indent(root)
  text = ElementTree.tostring(root, 'utf-8', xml_declaration=True)
  atomic.write(outputs.file(path, 'junit'), text + b'\n')
