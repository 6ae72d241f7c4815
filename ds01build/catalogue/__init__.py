"""What ds01 knows by name: package bundles, and the images of frameworks."""

from ds01build.catalogue.images import LATEST, Framework, find_framework, frameworks
from ds01build.catalogue.packages import Bundle, bundle, bundles
from ds01build.catalogue.selection import Selected, select

__all__ = [
    "LATEST",
    "Bundle",
    "Framework",
    "Selected",
    "bundle",
    "bundles",
    "find_framework",
    "frameworks",
    "select",
]
