"""Side by side with peers, in one interleaved run."""
