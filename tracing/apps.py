"""The write side and the domain."""

from importlib import import_module

from django.apps import AppConfig


class TracingConfig(AppConfig):
    name = "tracing"

    def ready(self) -> None:
        """Django copies what psycopg can send at its first connection: what `arrays` adds must be there by then."""
        import_module("tracing.arrays")
