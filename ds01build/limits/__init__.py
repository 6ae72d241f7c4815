"""Limits as values: what a site's files say, what a user has of it, what a container is given."""

from __future__ import annotations

from ds01build.limits.resolving import Limits, resolve
from ds01build.limits.resources import Capacity, resources
from ds01build.limits.rules import FALLBACK, Rules, members_in, overrides_in, rules_in, wrong

__all__ = [
    "FALLBACK",
    "Capacity",
    "Limits",
    "Rules",
    "members_in",
    "overrides_in",
    "resolve",
    "resources",
    "rules_in",
    "wrong",
]
