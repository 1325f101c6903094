"""The long lane of hostile and broken inputs.

  python -m pytest -q -o addopts= tests/fuzz

HETEROJAX_FUZZ_EXAMPLES is the number of inputs of a usual test (300); the same
inputs are drawn every time, others with HYPOTHESIS_PROFILE=explore.
"""
