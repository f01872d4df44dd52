"""Records as files: OTLP JSON and Jaeger JSON, written and read.

`otlpjson` and `jaegerjson` write what `timeline.queries.exporting` reads of a flow; `reading` makes records of a file
without storing them, `keeping` stores them.
"""
