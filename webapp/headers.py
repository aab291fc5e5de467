"""Headers on every answer: what browsers may load and do, and what they may keep."""

from flask import Flask, Response

from webapp.config import Config

# Scripts and styles come from /static only; photos may be shown before they are sent (blob:).
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}
PAGES_ARE_NOT_KEPT = "no-store"
"""Pages show what a person may see now; on a shared PC the back button must not show it to the next one."""


def init_app(app: Flask, config: Config) -> None:
    """Put the headers on whatever leaves, unless a view set its own."""
    headers = dict(HEADERS)
    if config.secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", PAGES_ARE_NOT_KEPT)
        return response
