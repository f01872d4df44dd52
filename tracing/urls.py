"""Root addresses. The viewer is named as a string: tracing never imports it."""

from django.urls import include, path

urlpatterns = [path("", include("timeline.urls"))]
