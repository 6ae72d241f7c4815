"""From answers to a recipe: the same answers are the same bytes, whoever asked for them how."""

from ds01build.wizard.answers import Answers, Picked
from ds01build.wizard.composing import compose

__all__ = ["Answers", "Picked", "compose"]
