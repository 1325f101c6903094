"""Addresses of a network, which are no paths of this machine."""

import re
from urllib import parse
from urllib import request

# A scheme of two letters or more: one alone is a drive of Windows. Paths lose
# the second slash on their way; onnx: comes before a path, as of a network.
_ADDRESS = re.compile(r'(?!onnx:)[A-Za-z][A-Za-z0-9+.-]+:/')
# Folders above what a word names, from the root or home; of no address.
_ABOVE = re.compile(r'(^|[=,:])(?!//)[/~](?:[^,:=]*/)?')
_STORED = re.compile(r'(gs|s3):/+([^/].*?)/*', re.IGNORECASE)


def is_address(text: str) -> bool:
  """Whether a text is an address, as gs://bucket/run or https://host/x.png."""
  return bool(_ADDRESS.match(text.strip()))


def stored(text: str) -> tuple[str, str] | None:
  """Scheme and key of what is read from an object store; None for all else."""
  match = _STORED.fullmatch(text.strip())
  return (match[1].lower(), match[2]) if match else None


def local_path(text: str) -> str:
  """The path of a file:// address of this machine; '' for any other text."""
  address = parse.urlsplit(text.strip()) if is_address(text) else None
  if address is None or address.scheme.lower() != 'file':
    return ''
  return '' if address.netloc else request.url2pathname(address.path)


def told(word: str) -> str:
  """A word for others: of paths from the root or home only the last name.

  Args:
    word: a path or paths, with or without what stands before them, as
      --workdir=/home/me/run.
  """
  return _ABOVE.sub(r'\1', word)


def refusal(option: str, value: str) -> str:
  """What to say of an address where a path is meant.

  Args:
    option: that has it, as --workdir.
    value: the address.

  Returns:
    A sentence.
  """
  if path := local_path(value):
    return f'{option} is {value}, an address, but must be a path: give {path}.'
  return (
    f'{option} is {value}, an address, but must be a path of this machine:'
    ' copy what it holds to a folder here, or mount it, and give that.'
  )
