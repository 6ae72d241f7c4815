"""Makes the layers of a plan exist: each is made as soon as what it is made from is there."""

from ds01build.realise.materials import Executor, Facts, Made, Materials, Spool, Store
from ds01build.realise.order import realise

__all__ = ["Executor", "Facts", "Made", "Materials", "Spool", "Store", "realise"]
