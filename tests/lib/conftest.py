"""No deadline for generated examples: on a busy machine it is a test of the machine."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
