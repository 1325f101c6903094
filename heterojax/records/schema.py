"""The JSON Schema (draft 2020-12) of a record."""

from collections.abc import Mapping
import dataclasses
import inspect
import types
import typing
from typing import Any

from heterojax.records import codec
from heterojax.records.codec import Flat
from heterojax.records.codec import Named

_SIMPLE = {
  str: 'string',
  bool: 'boolean',
  int: 'integer',
  float: 'number',
  codec.Number: 'number',
  types.NoneType: 'null',
}
_REASON = {'type': 'string'}


def schema(record: type, title: str) -> dict[str, Any]:
  """What a file of this record must be.

  Args:
    record: its type; the docstrings of records are the descriptions.
    title: of the schema.

  Returns:
    The schema, ready for JSON.
  """
  definitions: dict[str, Any] = {}
  root = _value(codec.shape(record), definitions)
  return {
    '$schema': 'https://json-schema.org/draft/2020-12/schema',
    'title': title,
    **root,
    '$defs': dict(sorted(definitions.items())),
  }


def _value(
  expected: codec.Shape, definitions: dict[str, Any]
) -> dict[str, Any]:
  kind = expected.kind
  origin, args = typing.get_origin(kind), typing.get_args(kind)
  if kind is Any:
    return {}
  if origin is tuple:
    kinds = (codec.shape(k) for k in args if k is not ...)
    inner = [_nullable(kind, definitions) for kind in kinds]
    if args[-1] is ...:
      return {'type': 'array', 'items': inner[0]}
    size = {'minItems': len(inner), 'maxItems': len(inner)}
    return {'type': 'array', 'prefixItems': inner} | size
  if origin is not None and issubclass(origin, Mapping):
    names = expected.mark.names() if isinstance(expected.mark, Named) else ()
    inner = codec.shape(args[1])
    keywords = {'type': 'object'} | _others(inner, definitions)
    return keywords | _fields(dict.fromkeys(names, inner), definitions)
  if records := codec.alternatives(kind):
    return {'anyOf': [_value(codec.shape(r), definitions) for r in records]}
  if dataclasses.is_dataclass(kind):
    name = typing.cast(type, kind).__name__
    if name not in definitions:
      definitions[name] = {}  # It may hold itself.
      definitions[name] = _record(typing.cast(type, kind), definitions)
    return {'$ref': f'#/$defs/{name}'}
  return {'type': _SIMPLE[kind]}


def _nullable(
  expected: codec.Shape, definitions: dict[str, Any]
) -> dict[str, Any]:
  """A value, or null where one may lack."""
  keywords = _value(expected, definitions)
  if not (expected.may_miss or expected.optional):
    return keywords
  return {'anyOf': [keywords, {'type': 'null'}]}


def _others(
  expected: codec.Shape, definitions: dict[str, Any]
) -> dict[str, Any]:
  """Entries of a mapping under any name, and the reasons beside them."""
  keywords: dict[str, Any] = {
    'additionalProperties': _nullable(expected, definitions)
  }
  if expected.may_miss or expected.partly:
    keywords['patternProperties'] = {'_why$': _REASON}
  return keywords


def _fields(
  named: Mapping[str, codec.Shape], definitions: dict[str, Any]
) -> dict[str, Any]:
  """Fields with names of their own; one that is null says why."""
  properties, rules = {}, []
  for name, expected in named.items():
    properties[name] = _nullable(expected, definitions)
    if expected.may_miss or expected.partly:
      properties[f'{name}_why'] = _REASON
    if expected.may_miss:
      null = {'properties': {name: {'type': 'null'}}, 'required': [name]}
      rules.append({'if': null, 'then': {'required': [f'{name}_why']}})
  keywords: dict[str, Any] = {'properties': properties} if properties else {}
  return keywords | ({'allOf': rules} if rules else {})


def _record(record: type, definitions: dict[str, Any]) -> dict[str, Any]:
  keywords: dict[str, Any] = {'type': 'object'}
  if text := inspect.getdoc(record):
    keywords['description'] = text.split('\n\n')[0].replace('\n', ' ')
  defaults = {f.name: f.default for f in dataclasses.fields(record)}
  named: dict[str, codec.Shape] = {}
  for name, expected in codec.fields(record).items():
    if isinstance(expected.mark, Flat):
      inner = codec.shape(typing.get_args(expected.kind)[1])
      named |= dict.fromkeys(expected.mark.names(), inner)
      keywords |= _others(inner, definitions)
    else:
      named[name] = expected
  keywords['required'] = [
    name
    for name, expected in codec.fields(record).items()
    if name in named
    and not expected.optional
    and defaults[name] is dataclasses.MISSING
  ]
  return keywords | _fields(named, definitions)
