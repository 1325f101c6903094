"""What a page holds itself: pictures and tables as addresses, its own script.

Nothing is fetched, and the page's policy forbids it: a browser may show the
addresses made here, and use one style sheet and one script, which it knows by
their digests.
"""

import base64
import hashlib
import re
import urllib.parse

# What an editor or a drawing program needs of an SVG file, and no reader.
_UNSEEN = re.compile(
  r'<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->', re.DOTALL
)
# Besides letters and digits; white space is not kept at every place.
_AS_IT_IS = " '()*,/:;=!?@$+~"


def picture(content: bytes, kind: str) -> str:
  """A PNG or JPEG file as an address.

  Args:
    content: of the file.
    kind: png or jpeg.
  """
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def drawing(content: bytes) -> str:
  """An SVG file of Matplotlib as an address, a third shorter than in base64."""
  text = ' '.join(_UNSEEN.sub('', content.decode()).split())
  text = text.replace('> <', '><').replace('"', "'")
  return f'data:image/svg+xml,{urllib.parse.quote(text, _AS_IT_IS)}'


def table(text: str) -> str:
  """A CSV file as an address."""
  # A name of a file may hold what is no text.
  quoted = urllib.parse.quote(text, errors='replace')
  return f'data:text/csv;charset=utf-8,{quoted}'


def policy(style: str, script: str) -> str:
  """The Content-Security-Policy of a page.

  Args:
    style: its style sheet.
    script: its script.

  Returns:
    What forbids all else, of the page and of any file that it names.
  """
  return (
    f"default-src 'none'; img-src data:; style-src '{_digest(style)}';"
    f" script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
  )


def _digest(text: str) -> str:
  digest = hashlib.sha256(text.encode()).digest()
  return f'sha256-{base64.b64encode(digest).decode()}'
