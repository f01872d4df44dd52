"""A small shop that sends what real services would send: through OpenTelemetry's SDK, to the real endpoints.

`scene` holds time still, `services` are the SDKs, `outbox` and `post` carry the records away; `orders`, `mails`,
`workflows`, `jobs` and `stories` play the shop, `history` and `live` decide when. Nothing here knows the store.
"""
