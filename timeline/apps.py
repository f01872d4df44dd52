"""The read side: pages over what tracing stored."""

from django.apps import AppConfig


class TimelineConfig(AppConfig):
    name = "timeline"
