"""Live pages: the websocket route, the hub that owns every socket, and the renderer that feeds it.

Knows streams and fragments, not products: what a stream looks like on a page comes from fragment providers named in
`app.config["LIVE_PROVIDERS"]`. Imports nothing here, so that the hub starts without Flask or a database.
"""
