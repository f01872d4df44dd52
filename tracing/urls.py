"""Root addresses. The viewer is named as a string: tracing never imports it."""

from django.urls import include, path

handler400 = "timeline.views.errors.bad_request"
handler404 = "timeline.views.errors.not_found"
handler500 = "timeline.views.errors.failed"
urlpatterns = [path("", include("timeline.urls"))]
