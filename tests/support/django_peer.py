"""A Django site with django-scim2 and Django's own users, in memory, as its documentation sets it up."""

import logging
from typing import Any


def application() -> Any:
    """Return the WSGI application with empty tables; users and groups get the columns that django-scim2 needs."""
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    if not settings.configured:
        settings.configure(
            SECRET_KEY="tests",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="tests.support.django_peer_urls",
            INSTALLED_APPS=[
                "django.contrib.auth",
                "django.contrib.contenttypes",
                "django_scim",
                "tests.support.django_peer_app",
            ],
            AUTH_USER_MODEL="django_peer_app.User",
            MIDDLEWARE=[
                "tests.support.django_peer.bearer",
                "django_scim.middleware.SCIMAuthCheckMiddleware",
            ],
            DATABASES={
                "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:peer?mode=memory&cache=shared"}
            },
            SCIM_SERVICE_PROVIDER={
                "NETLOC": "peer.example",
                "SCHEME": "http",
                "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer"}],
                "GROUP_MODEL": "tests.support.django_peer_app.models.Group",
            },
            LOGGING_CONFIG=None,
            USE_TZ=True,
        )
        django.setup()
        logging.getLogger("django").setLevel(logging.CRITICAL)
    create_tables()
    return WSGIHandler()


def create_tables() -> None:
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)
    get_user_model().objects.create(username="operator", scim_username="operator")


def bearer(get_response: Any) -> Any:
    """Middleware: the key of the tests signs the operator in."""

    def respond(request: Any) -> Any:
        from django.contrib.auth import get_user_model
        from django.contrib.auth.models import AnonymousUser

        right = request.headers.get("Authorization") == "Bearer k"
        request.user = get_user_model().objects.get(username="operator") if right else AnonymousUser()
        return get_response(request)

    return respond
