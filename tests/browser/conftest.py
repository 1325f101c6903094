"""The Chromium lane: reports as a reader sees them."""

import pathlib
import sys

# What the other lanes make up results with.
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
