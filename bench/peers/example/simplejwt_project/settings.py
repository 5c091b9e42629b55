"""The settings of `django-admin startproject` with those of simplejwt's documentation for rotation and blacklist.

Ours are only the database, DEBUG, the Argon2id parameters (equal to Gatepost's), and what *tuned* changes.
This file is read in the peer's environment, which has nothing of ours.
"""

import os

SECRET_KEY = os.environ["PEER_SECRET"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
TUNED = bool(os.environ["PEER_TUNED"])

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework_simplejwt",
    "rest_framework_simplejwt.token_blacklist",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "simplejwt_project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
PASSWORD_HASHERS = ["simplejwt_project.hashers.Argon2"]
USE_TZ = True
STATIC_URL = "static/"

# A request opens its own connection unless CONN_MAX_AGE says otherwise.
KEPT = {"CONN_MAX_AGE": None} if TUNED else {}
WAL = {"OPTIONS": {"init_command": "PRAGMA journal_mode = WAL"}} if TUNED else {}


def database() -> dict[str, object]:
    """Return where the accounts lie."""
    path = os.environ.get("PEER_SQLITE")
    if path:
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": path, **KEPT, **WAL}
    host, port, user, name = os.environ["PEER_POSTGRESQL"].split()
    place = {"HOST": host, "PORT": port, "USER": user, "NAME": name}
    return {"ENGINE": "django.db.backends.postgresql", **place, **KEPT}


DATABASES = {"default": database()}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ("rest_framework_simplejwt.authentication.JWTAuthentication",)
}
# HS256 with SECRET_KEY, five minutes and a day: the defaults.
SIMPLE_JWT = {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True}
