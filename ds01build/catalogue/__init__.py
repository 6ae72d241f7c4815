"""What ds01 knows by name: package bundles, and the images of frameworks."""

from ds01build.catalogue.images import LATEST, Framework, find_framework, frameworks
from ds01build.catalogue.packages import Bundle, bundle, bundles

__all__ = ["LATEST", "Bundle", "Framework", "bundle", "bundles", "find_framework", "frameworks"]
