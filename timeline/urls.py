"""Addresses of the viewer."""

from django.urls import URLPattern, path

from timeline.views import flow, record

urlpatterns: list[URLPattern] = [
    path("flow/<str:kind>", flow.flow),
    path("flow/<str:kind>/<str:type>/<path:key>", flow.flow),
    path("trace/<str:trace_id>", flow.trace),
    path("record/log/<str:log_id>", record.log),
    path("record/<str:trace_id>/<str:span_id>", record.record),
]
