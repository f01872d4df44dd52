"""The read side: pages over what `tracing` stored. It has no tables of its own.

`timeline.urls` is the way in; `tracing.apps` is the side that writes.
"""

from django.apps import AppConfig


class TimelineConfig(AppConfig):
    name = "timeline"
