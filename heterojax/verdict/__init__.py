"""Tests of the answer: arrays in, records out.

Nothing here reads a file or a flag, or chooses a device. Each module is one
idea and can be imported alone:

  records        what a test returns, and Holm's adjustment over several
  uneven         is the model wrong more often in some cluster?
  chance         is a coefficient of variation larger than chance lets expect?
  teaches_less   does a cluster teach less than random sets like it?
  published      what counts in a published table can show, exactly
  worlds         made-up data whose truth is known, to calibrate with
  exchange, sums, ranks, intervals   what the tests are made of
"""
