"""Fields whose default in this study is not that of `settings`."""

from typing import Any

DEFAULTS: dict[str, Any] = {}
