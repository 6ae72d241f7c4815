"""Recipes from what people have: requirements, conda environments, Dockerfiles, locks, containers.

Each module reads one kind of source, which may be hostile, into a ``Draft``; what it has no place
for becomes a ``Note``, and nothing is dropped without one.
"""

from ds01build.importing.draft import Draft, Included, Note, Slice, merged
from ds01build.importing.writing import recipe_of, recipe_text

__all__ = ["Draft", "Included", "Note", "Slice", "merged", "recipe_of", "recipe_text"]
