"""The hardware without the hardware: chips, layouts, memory, legality, edits, roofline.

``system`` knows the chips, ``layouts`` reads and writes ``#ttnn.ttnn_layout``, ``memory`` counts
bytes and who is alive when, ``legality`` names broken rules with their remedies, ``edits``
answers what a change would do, ``roofline`` estimates time. Nothing here needs a device.
"""

from __future__ import annotations
