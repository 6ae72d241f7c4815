"""Opens containers of a base to build wheels in, and has one image of it for all of them.

What talks to an engine is imported when one is opened: few recipes need any.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

from ds01build.engine.outage import about
from ds01build.errors import Ds01Error, ResolveError, Unavailable
from ds01build.location import split_credentials
from ds01build.lock import LockedImage
from ds01build.store.blobs import BlobSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ds01build.digest import Digest
    from ds01build.engine.wheels import Bench, Tools
    from ds01build.lock import LockedBase
    from ds01build.resolve.machine import MachineResolver
    from ds01build.resolve.uv import Index
    from ds01build.target import Target
    from ds01build.workflow.steps import Edges

__all__ = ["Benches"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Benches:
    """Where wheels for one base are built; ``resolver`` knows the recipe's indexes.

    What is made for them in an engine goes when ``stack`` is closed.
    """

    edges: Edges
    resolver: MachineResolver
    base: LockedBase
    target: Target
    stack: contextlib.ExitStack
    images: list[Digest] = field(default_factory=list)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Bench]:
        """Yield a container of the base to build ``name`` in; its log stays where that fails.

        Raises Unavailable without an engine or a network, and ResolveError over a root of .debs.
        """
        from ds01build.engine.owner import current
        from ds01build.engine.sandbox import opened
        from ds01build.engine.wheels import SECONDS, furnished
        from ds01build.workflow.executing import new_log

        image = self._image(name)
        log = new_log(self.edges, f"wheel-{name}")
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(log.open("xb"))
            stack.enter_context(about(f"building the wheel of {name}"))
            sandbox = stack.enter_context(
                opened(
                    self.edges.engine().client,
                    str(image),
                    owner=current(),
                    site=self.edges.site,
                    network=self.edges.network,
                    seconds=SECONDS,
                )
            )
            yield furnished(sandbox, self._tools(), file, log, self.edges.network)
        log.unlink(missing_ok=True)

    def _image(self, name: str) -> Digest:
        if not isinstance(self.base, LockedImage):
            raise ResolveError(
                f"{name} has to be built from its source, which takes a container of an image",
                hint="use an image as the base, or ask for a version with wheels",
            )
        if self.resolver.tool.offline:
            raise Unavailable(
                f"{name} has to be built from its source, and --offline forbids to fetch what "
                "that takes",
                hint="run it once without --offline",
            )
        try:
            engine = self.edges.engine()
        except Unavailable as error:
            problem = f"{name} has to be built from its source in a container engine, and {error}"
            raise Unavailable(problem, hint=error.hint) from error
        if not self.images:
            from ds01build.workflow.executing import base_image
            from ds01build.workflow.loading import tidy

            tidy(engine)
            image = base_image(engine, self.base, (), self.edges, {}).engine_id
            self.images.append(image)
            self.stack.callback(self._remove, image)
        return self.images[0]

    def _remove(self, image: Digest) -> None:
        with contextlib.suppress(Ds01Error):  # what stays is removed by the next build
            self.edges.engine().remove(str(image))

    def _tools(self) -> Tools:
        from ds01build.engine.wheels import Tools

        tool = self.resolver.tool
        program = tool.program.resolve()
        return Tools(
            uv=BlobSource(path=program, size=program.stat().st_size),
            interpreter=self.target.interpreter,
            variables=tool.index_variables(),
            secrets=tuple(sorted({s for index in tool.indexes for s in _secrets(index)})),
        )


def _secrets(index: Index) -> Iterator[str]:
    """Yield the password of an index as it is, and as its URL has it."""
    written = index.secret_url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    credentials = split_credentials(index.secret_url)[1]
    for word in (credentials[1] if credentials else "", written.partition(":")[2]):
        if word:
            yield word
