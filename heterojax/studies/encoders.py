"""Configurations of one study with several networks or files of features."""

from collections.abc import Mapping, Sequence
import copy
import pathlib
from typing import Any

from heterojax.errors import UserError

_GIVEN = {'name': 'given', 'weights': '', 'source': 'auto', 'feature': 'avg'}
# Of the table of images; a file of features has columns of its own.
_OF_TABLE = {'dataset': 'features', 'images': '', 'columns': '', 'files': ''}
# In the folder that has a run for each encoder, what is none.
_OTHERS = ('', '.', '..', 'comparison')


def configurations(
  config: Mapping[str, Any], networks: Sequence[str], features: Sequence[str]
) -> dict[str, dict[str, Any]]:
  """A configuration for each encoder.

  Args:
    config: of the study on the data: images, or a file of features, which is
      then the first encoder.
    networks: of which each sees the images; without any, that of the
      configuration.
    features: files, of the same images.

  Returns:
    What the encoder is called, to the configuration. Nothing but the features
    differs.

  Raises:
    UserError: if there are fewer than two, or networks without images.
  """
  ready = config['data']['dataset'] == 'features'
  if ready and networks:
    raise UserError(
      f'{config["data"]["dir"]} has features already, so that --networks have'
      ' no images to see: give images, or leave --networks out.'
    )
  found: dict[str, dict[str, Any]] = {}
  if ready:
    found[_called(config['data']['dir'], found)] = copy.deepcopy(dict(config))
  for name in networks or ([] if ready else [config['backbone']['name']]):
    found[_called(name, found)] = _with(config, backbone={'name': name})
  if ready:
    own = _resolved(config['data']['dir'])
    features = [path for path in features if _resolved(path) != own]
  for path in features:
    if not pathlib.Path(path).expanduser().is_file():
      raise UserError(
        f'There is no file {path}: --features takes files of features, as'
        ' `heterojax features` writes them.'
      )
    data = {**_OF_TABLE, 'dir': path}
    found[_called(path, found)] = _with(config, backbone=_GIVEN, data=data)
  if len(found) < 2:
    raise UserError(
      'One encoder alone has no rival: name two or more with'
      ' --networks=NAME,NAME and --features=FILE,FILE.'
    )
  return found


def _resolved(path: str) -> pathlib.Path:
  return pathlib.Path(path).expanduser().resolve()


def _called(what: str, taken: Mapping[str, Any]) -> str:
  """The name of a network, or of a file without its ending; a new one."""
  name = pathlib.Path(what.removeprefix('onnx:')).stem
  number, same = 2, name
  while name in _OTHERS or name in taken:
    name, number = f'{same}_{number}', number + 1
  return name


def _with(
  config: Mapping[str, Any], **sections: Mapping[str, Any]
) -> dict[str, Any]:
  changed = copy.deepcopy(dict(config))
  for section, fields in sections.items():
    changed[section] |= fields
  return changed
