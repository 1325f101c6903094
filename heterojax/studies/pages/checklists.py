"""Which items of reporting guidelines ask for what stands on a page.

TRIPOD+AI (Collins 2024, doi:10.1136/bmj-2023-078378) is for studies of
prediction models, CLAIM (2024 update, Tejani 2024, doi:10.1148/ryai.240300) for
artificial intelligence in medical imaging. What an item asks is put in our own
words; items that no run can know of are listed by number alone.
"""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from heterojax.report.blocks import Column
from heterojax.report.blocks import Paragraph
from heterojax.report.blocks import Section
from heterojax.report.blocks import Table
from heterojax.report.blocks import on_page
from heterojax.report.blocks import quiet

_TRIPOD = {
  '10': 'how the sample size was arrived at',
  '11': 'missing data, and why any were left out',
  '12a': 'how the data were used and parted',
  '12b': 'how predictors were handled in the analysis',
  '12c': 'the model, how it was built, and its internal validation',
  '12d': 'how heterogeneity across clusters was quantified',
  '12e': 'measures and plots of performance',
  '13': 'how class imbalance was handled',
  '15': 'what the model puts out, and its thresholds',
  '20a': 'flow of participants through the study',
  '21': 'numbers of participants and outcomes in each analysis',
  '23a': 'performance with confidence intervals',
  '23b': 'heterogeneity of performance across clusters',
  '26': 'limitations',
}
_CLAIM = {
  '9': 'preprocessing of the data',
  '10': 'how subsets of the data were selected',
  '12': 'how missing data were handled',
  '19': 'how data were assigned to partitions',
  '20': 'the level at which partitions are disjoint',
  '21': 'intended sample size',
  '22': 'description of the model',
  '23': 'software libraries and packages',
  '24': 'initialisation of the parameters',
  '25': 'training',
  '26': 'how the final model was selected',
  '28': 'metrics of performance',
  '29': 'significance and uncertainty',
  '30': 'robustness or sensitivity analysis',
  '32': 'evaluation on internal data',
  '33': 'testing on external data',
  '35': 'numbers included and excluded',
  '37': 'performance with its uncertainty',
  '39': 'cases that were classified wrongly',
  '40': 'limitations',
}
_ASKED = {'TRIPOD+AI': _TRIPOD, 'CLAIM': _CLAIM}
_YOURS = {
  'TRIPOD+AI': (
    '1 to 9c, 12f, 12g, 14, 16 to 19, 20b, 20c, 22, 24, 25 and 27a to 27c'
  ),
  'CLAIM': '1 to 8, 11, 13 to 18, 27, 31, 34, 36, 38 and 41 to 44',
}


def _of(tripod: str = '', claim: str = '') -> dict[str, list[str]]:
  """Guideline to its items; none where no item asks."""
  named = zip(_ASKED, (tripod.split(), claim.split()), strict=True)
  return {guideline: items for guideline, items in named if items}


ANSWER = _of('12d 23b', '29 30')
OVERALL = _of('12e 23a', '28 32 37')
# Without intervals.
METRICS = _of('12e 23b', '28 32')
CLUSTERS = _of('12d 23b')
STABILITY = _of('', '30')
SAMPLE_SIZE = _of('10 23b', '21 30')
EXTERNAL = _of('23a', '33')
WRONG = _of('', '39')
DATA = _of('11 12a 20a 21', '10 12 19 20 35')
METHODS = _of('12b 12c 12e 13 15', '9 22 24 25 26')
LIMITS = _of('26', '40')
ENVIRONMENT = _of('', '23')


def section(sections: Sequence[Section]) -> Section:
  """All items that a page can have something for, and where it has.

  Args:
    sections: of the page.
  """
  rows = [
    (guideline, item, asks, _links(sections, guideline, item))
    for guideline, items in _ASKED.items()
    for item, asks in items.items()
  ]
  none = quiet('nothing in this report')
  columns: list[Column[tuple[str, str, str, Markup]]] = [
    on_page('Guideline', lambda row: row[0], 'short'),
    on_page('Item', lambda row: row[1], 'text'),
    on_page('Asks for', lambda row: row[2], 'text'),
    on_page('Here', lambda row: row[3] or none, 'long'),
  ]
  shown = Markup(
    'What this page holds for items of TRIPOD+AI (<i>BMJ</i> 2024;385:e078378)'
    ' and CLAIM (2024 update, <i>Radiology: Artificial Intelligence</i>'
    ' 6(4):e240300), in our words. Whether an item is fulfilled is for you to'
    ' judge.'
  )
  yours = '; '.join(f'{name} {items}' for name, items in _YOURS.items())
  return Section(
    'Reporting checklists',
    [
      Paragraph(shown),
      Table('', columns, rows),
      Paragraph(
        'The other items are about patients, clinic, reference standard and'
        f' publication, which no run knows of: {yours}.',
        'quiet',
      ),
    ],
    folded=True,
  )


def _links(sections: Iterable[Section], guideline: str, item: str) -> Markup:
  """Links to the sections that an item asks for."""
  return Markup(', ').join(
    Markup('<a href="#{}">{}</a>').format(of.id, of.title)
    for of in sections
    if item in of.asked.get(guideline, ())
  )
