"""The write side and the domain."""

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"
