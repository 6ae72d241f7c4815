"""Reads YAML that another program reads, too: its types as they are, within bounds."""

from __future__ import annotations

import yaml

__all__ = ["TEXT_LIMIT", "load"]

TEXT_LIMIT = 256 * 1024  # characters; a site's file has some fifteen thousand
MAX_VALUES = 20_000  # with every alias written out
MAX_DEPTH = 16
_YAML = "tag:yaml.org,2002:"
_TEXT = f"{_YAML}str"
_TYPES = ("str", "int", "float", "bool", "null", "timestamp", "merge", "map", "seq")
_TAGS = frozenset(f"{_YAML}{name}" for name in _TYPES)
_OPEN = -1  # the weight of a node that is being weighed


def load(text: str) -> object:
    """Return the only document of ``text``, None for one with nothing in it; keys are strings.

    Raises ValueError with the problem, and its line where there is one.
    """
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"longer than {TEXT_LIMIT} characters")
    try:
        return _loaded(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ValueError(f"line {line}: not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ValueError("not YAML: it has characters that YAML does not allow") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _loaded(text: str) -> object:
    """Do what yaml.safe_load does, with a look at the nodes before values are made of them."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _weigh(node, 0, {})
        return _made(loader, node)
    finally:
        loader.dispose()


def _made(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    try:
        return loader.construct_document(node)
    except ValueError as error:  # of Python: a number of 4,301 digits, the 13th month
        raise ValueError("it has a number or a date that nobody can read") from error


def _weigh(node: yaml.Node, depth: int, known: dict[int, int]) -> int:
    """Return how many values a node comes to, and raise ValueError for what is not read.

    Keys become strings: the name of a user may be all digits.
    """
    line = node.start_mark.line + 1
    if known.get(id(node)) == _OPEN or depth > MAX_DEPTH:
        raise ValueError(f"line {line}: nested too deeply, or within itself")
    if node.tag not in _TAGS:
        raise ValueError(f"line {line}: the tag {node.tag!r:.60} is not read")
    if id(node) not in known:
        known[id(node)] = _OPEN
        values = node.value if isinstance(node.value, list) else []
        if isinstance(node, yaml.MappingNode):
            _name_keys(node)
            values = [value for _, value in values]
        known[id(node)] = 1 + sum(_weigh(each, depth + 1, known) for each in values)
    if known[id(node)] > MAX_VALUES:
        raise ValueError(f"line {line}: more than {MAX_VALUES} values")
    return known[id(node)]


def _name_keys(node: yaml.MappingNode) -> None:
    names = set[str]()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or key.tag not in _TAGS:
            raise ValueError(f"line {line}: a key that is no string")
        if key.value in names:
            raise ValueError(f"line {line}: {key.value!r:.100} is there twice")
        names.add(key.value)
        if key.tag != f"{_YAML}merge":
            key.tag = _TEXT
