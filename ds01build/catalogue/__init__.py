"""What ds01 knows by name: package bundles, rivals among packages, and images of frameworks."""

from ds01build.catalogue.images import (
    LATEST,
    Framework,
    NotInCatalogue,
    find_framework,
    frameworks,
)
from ds01build.catalogue.packages import Bundle, bundle, bundles
from ds01build.catalogue.rivals import Rivals, rivals
from ds01build.catalogue.selection import Selected, select

__all__ = [
    "LATEST",
    "Bundle",
    "Framework",
    "NotInCatalogue",
    "Rivals",
    "Selected",
    "bundle",
    "bundles",
    "find_framework",
    "frameworks",
    "rivals",
    "select",
]
