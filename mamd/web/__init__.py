"""
The HTTP API, the webhooks' door and the live status page. All of it asks the desk; none of it
decides anything about a device.
"""

from mamd.web.app import make_app, make_webhook_app
from mamd.web.doors import Role, Token
from mamd.web.serve import Listener

__all__ = ["Listener", "Role", "Token", "make_app", "make_webhook_app"]
