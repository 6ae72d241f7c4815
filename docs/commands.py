"""Writes commands.md, the reference of the commands, from the commands themselves."""

from __future__ import annotations

from pathlib import Path

from ds01build.cli import ds01
from ds01build.cli.reference import markdown

Path(__file__).with_name("commands.md").write_text(markdown(ds01), encoding="utf-8")
