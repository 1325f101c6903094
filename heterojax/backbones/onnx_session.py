"""ONNX Runtime within the memory of this machine, and within some time.

A small file can ask for any of both: a loop without an end, or a tensor of
terabytes.
"""

from collections.abc import Mapping, Sequence
import functools
import threading

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports]

from heterojax.compute import memory

# Of the memory; images and this program take some, too.
_MOST = 0.75
_NO_ROOM = 'Available memory of'  # What ONNX Runtime says of it.
_SECONDS = 600.0  # For each image, from when a network is taken to be stuck.


class Session(onnxruntime.InferenceSession):
  """A network on one core.

  Args:
    content: of its ONNX file.

  Raises:
    Exception: whatever ONNX Runtime raises, which has no common base.
  """

  def __init__(self, content: bytes):
    options = onnxruntime.SessionOptions()
    # Every core has images of its own.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Its own format, which it tells by the bytes, is not what is looked
    # through.
    options.add_session_config_entry('session.load_model_format', 'ONNX')
    if _memory_is_bounded():
      options.add_session_config_entry('session.use_env_allocators', '1')
    super().__init__(content, options, providers=['CPUExecutionProvider'])

  def run(
    self, names: Sequence[str], feed: Mapping[str, np.ndarray]
  ) -> list[np.ndarray]:
    """Outputs of some images.

    Raises:
      Exception: as above.
      MemoryError: if it takes more memory than there is.
      TimeoutError: if it does not end.
    """
    how = onnxruntime.RunOptions()
    seconds = _SECONDS * max(map(len, feed.values()))
    stop = threading.Timer(seconds, setattr, (how, 'terminate', True))
    stop.daemon = True
    stop.start()
    try:
      return super().run(names, feed, how)
    except Exception as error:
      if how.terminate:
        raise TimeoutError(f'it has not ended in {seconds:,g} s') from error
      if _NO_ROOM in str(error):
        raise MemoryError('it takes more memory than there is') from error
      raise
    finally:
      stop.cancel()


@functools.cache
def _memory_is_bounded() -> bool:
  """Bounds the memory of all sessions of this process; whether it could."""
  if (most := memory.most()) is None:
    return False
  where = onnxruntime.OrtMemoryInfo(
    'Cpu',
    onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
    0,
    onnxruntime.OrtMemType.DEFAULT,
  )
  bound = onnxruntime.OrtArenaCfg({'max_mem': int(_MOST * most)})
  try:
    onnxruntime.create_and_register_allocator(where, bound)
  except Exception:  # A notebook has its own. # pylint: disable=broad-except
    return False
  return True
