"""Addresses of the viewer, each with the view that answers it.

`timeline.addresses` makes them and reads keys back out of them; `tracing.urls` includes this list.
"""

from django.conf import settings as django_settings
from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter
from django.views.generic import RedirectView

from timeline.views import (
    account,
    audit,
    calendars,
    compare,
    expectations,
    find,
    flow,
    flows,
    importing,
    keys,
    maintenance,
    mark,
    notifications,
    now,
    people,
    problems,
    quieting,
    record,
    rules,
    senders,
    settings,
    shared,
    shares,
    signing,
    storage,
    types,
    typesettings,
)
from tracing.values import is_storable


class KeyConverter(StringConverter):
    """Anything: keys hold slashes, and Django's `path` stops at a line's end."""

    regex = r"[\s\S]+"


class TypeConverter(StringConverter):
    """A type's name; none can hold what PostgreSQL keeps in no text."""

    def to_python(self, value: str) -> str:
        if not is_storable(value):
            raise ValueError(value)
        return super().to_python(value)


register_converter(KeyConverter, "key")
register_converter(TypeConverter, "type")

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
    path("import/look", importing.looked, name="import-look"),
    path("types", types.types, name="types"),
    path("types/<type:type>", types.type_page),
    path("types/<type:type>/settings", typesettings.type_settings),
    path("types/<type:type>/expectations", expectations.expectations),
    path("types/<type:type>/expectations/new", expectations.begin),
    path("types/<type:type>/expectations/<int:rule_id>", expectations.change),
    path("types/<type:type>/expectations/<int:rule_id>/switch", expectations.switch),
    path("types/<type:type>/expectations/<int:rule_id>/delete", expectations.delete),
    path("compare", compare.compare, name="compare"),
    path("s/<str:token>", shared.shared, name="shared"),
    path("s/<str:token>/card.png", shared.card, name="card"),
    path("share", shares.share, name="share"),
    path("share/<int:share_id>", shares.made, name="share-made"),
    path("pin", shares.pin, name="pin"),
    path("settings/shares", shares.shares, name="shares"),
    path("settings/shares/<int:share_id>/revoke", shares.revoke, name="share-revoke"),
    path("settings/copies/<int:snapshot_id>/delete", shares.unpin, name="unpin"),
    path("settings", RedirectView.as_view(url="/settings/")),
    path("settings/", settings.overview, name="settings"),
    path("settings/senders", senders.senders, name="senders"),
    path("settings/rules", rules.rules, name="rules"),
    path("settings/rules/new", rules.begin, name="rule-new"),
    path("settings/rules/<int:rule_id>", rules.change, name="rule"),
    path("settings/rules/<int:rule_id>/switch", rules.switch, name="rule-switch"),
    path("settings/rules/<int:rule_id>/apply", rules.apply, name="rule-apply"),
    path("settings/rules/<int:rule_id>/undo", rules.undo, name="rule-undo"),
    path("settings/rules/jobs/<int:job_id>", rules.job, name="rule-job"),
    path("settings/storage", storage.storage, name="storage"),
    path("settings/calendars", calendars.calendars, name="calendars"),
    path("settings/calendars/new", calendars.begin, name="calendar-new"),
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
    path("settings/people", people.people, name="people"),
    path("settings/people/<int:user_id>/role", people.role, name="person-role"),
    path("settings/people/<int:user_id>/switch", people.switch, name="person-switch"),
    path("settings/people/<int:user_id>/password", people.password, name="person-password"),
    path("settings/keys", keys.keys, name="keys"),
    path("settings/keys/<int:key_id>/revoke", keys.revoke, name="key-revoke"),
    path("settings/keys/<int:key_id>/limit", keys.limit, name="key-limit"),
    path("settings/audit", audit.audit, name="audit"),
    path("account", account.account, name="account"),
    path("account/password", account.password, name="account-password"),
    path("account/tokens", account.token_new, name="token-new"),
    path("account/tokens/<int:token_id>/revoke", account.token_revoke, name="token-revoke"),
    path("login", signing.sign_in, name="login"),
    path("logout", signing.sign_out, name="logout"),
    path("flow/<str:kind>", flow.flow),
    path("flow/<str:kind>/<str:type>/<key:key>", flow.flow),
    path("trace/<str:trace_id>", flow.trace),
    path("record/log/<str:log_id>", record.log),
    path("record/<str:trace_id>/<str:span_id>", record.record),
]
if django_settings.OIDC_URL:
    from timeline.views import oidc

    urlpatterns += [
        path("oidc/<str:provider_id>/login/", oidc.start, name="openid_connect_login"),
        path("oidc/<str:provider_id>/login/callback/", oidc.back, name="openid_connect_callback"),
    ]
