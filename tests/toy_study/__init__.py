"""A third study, as small as one can be: halves of the training images.

All that there is of it: this package, and its line in the registry. It asks
whether images with large features are of one class.
"""

from toy_study.study import TOY

__all__ = ('TOY',)
