"""Versions of what decides bytes: raising one makes everybody build again (docs/design/0002)."""

__all__ = ["CAPTURE", "COMPRESSOR", "DEFLATE", "LEVEL", "RULES", "WRITER"]

WRITER = 1  # tar, gzip, and what is written for a wheel
CAPTURE = 1  # how a tier is executed, and what of it becomes its layer
RULES = 1  # what .debs unpack to, and what stands for their scripts

DEFLATE = "0.9.0"  # of the package that compresses layers of .debs
# Of 1 to 6, level 1 takes 0.7 of the time of level 3 for 1.06 of its size (.so files).
LEVEL = 1
COMPRESSOR = f"deflate-{DEFLATE}/{LEVEL}"
