"""Files tried in a process of their own before the server's process opens them."""

from __future__ import annotations

from studio_core.guarded.guard import Guard as Guard
