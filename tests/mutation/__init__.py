"""Whether the tests see small changes of what computes numbers."""
