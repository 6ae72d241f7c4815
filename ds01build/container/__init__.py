"""Containers as values: what a person wishes, what the engine is asked for, what labels say."""

from __future__ import annotations

from ds01build.container.identity import HomeFile, Identity, furnishing
from ds01build.container.labels import labels_of, read
from ds01build.container.names import container_name, full_name, short_name, user_name
from ds01build.container.payload import payload
from ds01build.container.policy import Policy, policy_in
from ds01build.container.specification import Gpus, Resources, Specification, Wish, check

__all__ = [
    "Gpus",
    "HomeFile",
    "Identity",
    "Policy",
    "Resources",
    "Specification",
    "Wish",
    "check",
    "container_name",
    "full_name",
    "furnishing",
    "labels_of",
    "payload",
    "policy_in",
    "read",
    "short_name",
    "user_name",
]
