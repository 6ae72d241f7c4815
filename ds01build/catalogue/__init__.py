"""What ds01 knows by name: package bundles, rivals among packages, and images of frameworks."""

from ds01build.catalogue.entries import Entry, describe, entries
from ds01build.catalogue.images import (
    LATEST,
    Framework,
    NotInCatalogue,
    find_framework,
    framework_of,
    frameworks,
)
from ds01build.catalogue.packages import Bundle, bundle, bundles
from ds01build.catalogue.rivals import Rivals, rivals
from ds01build.catalogue.selection import Selected, least_driver, select

__all__ = [
    "LATEST",
    "Bundle",
    "Entry",
    "Framework",
    "NotInCatalogue",
    "Rivals",
    "Selected",
    "bundle",
    "bundles",
    "describe",
    "entries",
    "find_framework",
    "framework_of",
    "frameworks",
    "least_driver",
    "rivals",
    "select",
]
