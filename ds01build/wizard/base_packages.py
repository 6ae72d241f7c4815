"""What a base has of the packages that are offered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ds01build.grammar import requirement_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["BasePackages"]


@dataclass(frozen=True, slots=True)
class BasePackages:
    """The Python packages of a base: versions by name."""

    versions: Mapping[str, str] = field(default_factory=dict)

    def lacking(self, packages: Iterable[str]) -> tuple[str, ...]:
        """Return the requirements of ``packages`` whose name the base does not have."""
        return tuple(each for each in packages if requirement_name(each) not in self.versions)

    def there(self, packages: Iterable[str]) -> tuple[str, ...]:
        """Return what the base has of ``packages``, each as NAME VERSION."""
        names = dict.fromkeys(map(requirement_name, packages))
        return tuple(f"{name} {self.versions[name]}" for name in names if name in self.versions)
