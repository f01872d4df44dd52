"""Addresses of the viewer, each with the view that answers it.

`timeline.addresses` makes them and reads keys back out of them; `tracing.urls` includes this list.
"""

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter
from django.views.generic import RedirectView

from timeline.views import (
    calendars,
    compare,
    expectations,
    find,
    flow,
    flows,
    importing,
    maintenance,
    mark,
    notifications,
    now,
    problems,
    quieting,
    record,
    rules,
    senders,
    settings,
    types,
    typesettings,
)


class KeyConverter(StringConverter):
    """Anything: keys hold slashes, and Django's `path` stops at a line's end."""

    regex = r"[\s\S]+"


register_converter(KeyConverter, "key")

urlpatterns: list[URLPattern] = [
    path("", now.now, name="now"),
    path("flows", flows.flows, name="flows"),
    path("problems", problems.listed, name="problems"),
    path("problems/<str:problem_id>", problems.problem, name="problem"),
    path("problems/<str:problem_id>/acknowledge", quieting.acknowledge, name="acknowledge"),
    path("problems/<str:problem_id>/mute", quieting.mute, name="mute"),
    path("problems/<str:problem_id>/unmute", quieting.unmute, name="unmute"),
    path("problems/<str:problem_id>/note", quieting.note, name="note"),
    path("mark.svg", mark.mark, name="mark"),
    path("find", find.find, name="find"),
    path("import", importing.import_file, name="import"),
    path("types", types.types, name="types"),
    path("types/<str:type>", types.type_page),
    path("types/<str:type>/settings", typesettings.type_settings),
    path("types/<str:type>/expectations", expectations.expectations),
    path("types/<str:type>/expectations/new", expectations.change),
    path("types/<str:type>/expectations/<int:rule_id>", expectations.change),
    path("types/<str:type>/expectations/<int:rule_id>/switch", expectations.switch),
    path("types/<str:type>/expectations/<int:rule_id>/delete", expectations.delete),
    path("compare", compare.compare, name="compare"),
    path("settings", RedirectView.as_view(url="/settings/")),
    path("settings/", settings.overview, name="settings"),
    path("settings/senders", senders.senders, name="senders"),
    path("settings/rules", rules.rules, name="rules"),
    path("settings/rules/new", rules.change, name="rule-new"),
    path("settings/rules/<int:rule_id>", rules.change, name="rule"),
    path("settings/rules/<int:rule_id>/switch", rules.switch, name="rule-switch"),
    path("settings/rules/<int:rule_id>/apply", rules.apply, name="rule-apply"),
    path("settings/rules/<int:rule_id>/undo", rules.undo, name="rule-undo"),
    path("settings/rules/jobs/<int:job_id>", rules.job, name="rule-job"),
    path("settings/calendars", calendars.calendars, name="calendars"),
    path("settings/calendars/new", calendars.change, name="calendar-new"),
    path("settings/calendars/<int:calendar_id>", calendars.change, name="calendar"),
    path("settings/calendars/<int:calendar_id>/delete", calendars.delete, name="calendar-delete"),
    path("settings/maintenance", maintenance.maintenance, name="maintenance"),
    path("settings/maintenance/<int:maintenance_id>/end", maintenance.end, name="maintenance-end"),
    path("settings/notifications", notifications.notifications, name="notifications"),
    path("settings/notifications/channels/new", notifications.channel, name="channel-new"),
    path("settings/notifications/channels/<int:channel_id>", notifications.channel, name="channel"),
    path(
        "settings/notifications/channels/<int:channel_id>/switch",
        notifications.channel_switch,
        name="channel-switch",
    ),
    path(
        "settings/notifications/channels/<int:channel_id>/test",
        notifications.channel_test,
        name="channel-test",
    ),
    path(
        "settings/notifications/channels/<int:channel_id>/delete",
        notifications.channel_delete,
        name="channel-delete",
    ),
    path("settings/notifications/routes/new", notifications.route, name="route-new"),
    path("settings/notifications/routes/<int:route_id>", notifications.route, name="route"),
    path("settings/notifications/routes/<int:route_id>/move", notifications.route_move, name="route-move"),
    path("settings/notifications/routes/<int:route_id>/tell", notifications.route_tell, name="route-tell"),
    path(
        "settings/notifications/routes/<int:route_id>/delete", notifications.route_delete, name="route-delete"
    ),
    path("flow/<str:kind>", flow.flow),
    path("flow/<str:kind>/<str:type>/<key:key>", flow.flow),
    path("trace/<str:trace_id>", flow.trace),
    path("record/log/<str:log_id>", record.log),
    path("record/<str:trace_id>/<str:span_id>", record.record),
]
