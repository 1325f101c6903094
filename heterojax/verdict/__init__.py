"""Tests of the answer: arrays in, records out.

Nothing here reads a file or a flag, or chooses a device. Each module is one
idea and can be imported alone:

  records        what a test returns, and Holm's adjustment over several
  uneven         is the model wrong more often in some cluster?
  chance         is a coefficient of variation larger than chance lets expect?
  teaches_less   does a cluster teach less than random sets like it?
  one_rule       does another rule hold in some cluster?
  rule, gains    its worlds, and its statistic
  decomposition  why a cluster's head does worse, in four terms
  detectable     what would have been found
  published      what counts in a published table can show, exactly
  reconstruction what sizes a published table can have had
  worlds, calibration   made-up data whose truth is known, and what tests say
  folds, subsets heads that are refitted for the tests
  exchange, sums, ranks, intervals   what the tests are made of
"""
