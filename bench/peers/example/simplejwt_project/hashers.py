"""Argon2id as Gatepost has it."""

from django.contrib.auth.hashers import Argon2PasswordHasher  # ty: ignore[import-not-found]


class Argon2(Argon2PasswordHasher):
    """Django's, with the same parameters as Gatepost."""

    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
