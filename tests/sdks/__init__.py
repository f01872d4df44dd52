"""Small services in several languages, each with its own unmodified OpenTelemetry SDK.

Every one sends the same story of one order: a request that carries `order.id`, a child that does not, a second
span that does, a log inside the request and a log without any trace. `tests.test_sdks` runs them.
"""
