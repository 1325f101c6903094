"""The lane of injected faults: minutes to an hour, and not by default."""
