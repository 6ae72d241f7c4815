"""Loading into real engines: what travels, what is verified, and what a failure leaves."""

from __future__ import annotations

import io
import secrets
import subprocess
import sys
import tarfile
import textwrap
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engines import Names, Tars, address, clean, image, place, plain_layer, tar
from hypothesis import given
from hypothesis import strategies as st

from ds01build.digest import Digest
from ds01build.engine import archive, intermediate
from ds01build.engine.archive import Known
from ds01build.engine.intermediate import LABEL, Builder, remove_intermediates
from ds01build.engine.load import load, send
from ds01build.engine.loading import Loading
from ds01build.engine.names import fixed_tag, moving_tag
from ds01build.engine.unix import has
from ds01build.errors import Ds01Error, MismatchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ds01build.engine.api import Engine
    from ds01build.layer import Layer

pytest_plugins = ("engine_fixtures",)

MIB = 1 << 20


def _tars(count: int, size: int = 1000) -> list[bytes]:
    """Return the tars of layers that no image has."""
    return [tar({f"file-{place}": secrets.token_bytes(size)}) for place in range(count)]


def _intermediates(engine: Engine, lease: str) -> int:
    found = (image.labels.get(LABEL, "") for image in engine.images(LABEL))
    return sum(text.endswith(lease) for text in found)


@dataclass
class Watched:
    """Tars of which one does something before it ends: a fake of PlainLayers."""

    tars: Tars | Watched
    act: Callable[[], object]
    last: bytes  # the tar that acts
    acted: list[str] = field(default_factory=list)

    def plain_size(self, layer: Layer) -> int:
        return self.tars.plain_size(layer)

    def plain(self, layer: Layer) -> Iterator[bytes]:
        pieces = list(self.tars.plain(layer))
        yield from pieces[:-1]
        if layer.diff_id.value == address(self.last):
            self.acted.append(str(layer.diff_id))
            self.act()
        yield pieces[-1]


def test_only_the_layer_that_an_engine_lacks_travels(engine: Engine, names: Names) -> None:
    tars = _tars(3, MIB)
    load(engine, image(tars[:2]), Tars.of(tars), [names.tag()])

    source = Tars.of(tars)
    loaded = load(engine, image(tars), source, [names.tag()])

    assert list(loaded.layers) == source.opened == [plain_layer(tars[2]).diff_id]
    assert loaded.size <= len(tars[2]) + 65536
    found = engine.inspect(names.tag())
    assert found is not None
    assert found.engine_id == loaded.engine_id
    assert found.diff_ids == tuple(plain_layer(each).diff_id for each in tars)


def test_an_image_that_is_there_costs_its_configuration(engine: Engine, names: Names) -> None:
    tars = _tars(2, MIB)
    first = load(engine, image(tars), Tars.of(tars), [names.tag()])
    again = load(engine, image(tars), Tars.of(tars), [names.tag()])
    assert (again.engine_id, again.layers) == (first.engine_id, ())
    assert again.size < 65536


def test_a_layer_in_another_place_travels_again(engine: Engine, names: Names) -> None:
    low, high = _tars(2)
    load(engine, image([low, high]), Tars.of([low, high]), [names.tag()])
    loaded = load(engine, image([high, low]), Tars.of([low, high]), [names.tag()])
    assert loaded.layers == (plain_layer(high).diff_id, plain_layer(low).diff_id)


def test_a_layer_that_occurs_twice_travels_once(engine: Engine, names: Names) -> None:
    one, two = _tars(2)
    source = Tars.of([one, two])
    load(engine, image([one, two, one]), source, [names.tag()])
    assert source.opened == [plain_layer(one).diff_id, plain_layer(two).diff_id]


def test_a_layer_removed_between_plan_and_load_is_sent_after_all(
    engine: Engine, names: Names
) -> None:
    tars = _tars(2)
    load(engine, image(tars[:1]), Tars.of(tars), [names.tag("old")])
    there = list(engine.images())
    engine.remove(names.tag("old"))

    loaded = send(engine, image(tars), Tars.of(tars), there)
    engine.tag(loaded.engine_id, names.tag())

    assert loaded.layers == tuple(plain_layer(each).diff_id for each in tars)


def test_the_graph_drivers_name_is_the_digest_of_the_configuration(
    graph_engine: Engine,
) -> None:
    tars = _tars(1)
    wanted = image(tars)
    loaded = send(graph_engine, wanted, Tars.of(tars))
    assert graph_engine.remove(str(loaded.engine_id))
    assert loaded.engine_id == wanted.config_digest


def test_the_containerd_stores_name_is_the_digest_of_the_manifest(
    containerd_engine: Engine,
) -> None:
    tars = _tars(1)
    source = Tars.of(tars)
    loaded = send(containerd_engine, image(tars), source)
    assert containerd_engine.remove(str(loaded.engine_id))
    assert loaded.engine_id == Digest.of(archive.manifest(image(tars), Known(), source))


def test_podman_gets_every_layer_each_time(podman_engine: Engine) -> None:
    tars = _tars(2)
    tag = f"localhost/ds01-test-{secrets.token_hex(6)}:latest"
    load(podman_engine, image(tars[:1]), Tars.of(tars), [tag])
    loaded = load(podman_engine, image(tars), Tars.of(tars), [tag])
    assert len(loaded.layers) == 2
    assert loaded.engine_id == image(tars).config_digest
    clean(podman_engine, tag.rpartition(":")[0])


def test_nothing_goes_ahead_to_podman(podman_engine: Engine) -> None:
    tars, tag = _tars(2, 17 * MIB), f"ds01-test/{secrets.token_hex(6)}:latest"
    source = Tars.of(tars)
    with Loading(podman_engine, source, intermediate.this_builder()) as loading:
        for each in tars:
            loading.add(plain_layer(each))
            assert loading.wait(30)
        wanted = image(tars)
        loaded = loading.finish(wanted.config, wanted.layers, [tag])
    assert source.opened == [layer.diff_id for layer in wanted.layers]
    assert loaded.size <= sum(map(len, tars)) + 65536
    clean(podman_engine, tag.rpartition(":")[0])


def test_bytes_that_are_not_the_layers_are_refused(engine: Engine, names: Names) -> None:
    good, other = _tars(2)
    source = Tars({address(good): other})
    with pytest.raises(Ds01Error, match=r"did not load the image: .*sha256:"):
        load(engine, image([good]), source, [names.tag()])
    assert engine.inspect(names.tag()) is None


@pytest.mark.parametrize("change", [-1, 1])
def test_a_layer_that_is_not_as_long_as_promised_is_refused(
    change: int, engine: Engine, names: Names
) -> None:
    (content,) = _tars(1, 3 * MIB)

    class Wrong(Tars):
        def plain_size(self, layer: Layer) -> int:
            return super().plain_size(layer) + change

    with pytest.raises(MismatchError) as caught:
        load(engine, image([content]), Wrong.of([content]), [names.tag()])
    assert str(caught.value).startswith(f"layer {address(content)}: expected ")
    assert engine.inspect(names.tag()) is None


def test_the_old_tag_stays_until_the_new_image_is_complete(engine: Engine, names: Names) -> None:
    tars = _tars(2, 5 * MIB)
    old = load(engine, image(tars[:1]), Tars.of(tars), [names.tag()])

    def look() -> None:
        found = engine.inspect(names.tag())
        assert found is not None
        assert found.engine_id == old.engine_id

    source = Watched(Tars.of(tars), look, tars[1])
    new = load(engine, image(tars), source, [names.tag()])

    assert source.acted
    found = engine.inspect(names.tag())
    assert found is not None
    assert found.engine_id == new.engine_id != old.engine_id


def test_a_load_that_breaks_off_leaves_the_old_tag(engine: Engine, names: Names) -> None:
    tars = _tars(2, 5 * MIB)
    old = load(engine, image(tars[:1]), Tars.of(tars), [names.tag()])
    before = {each.engine_id for each in engine.images()}

    def fail() -> None:
        raise Ds01Error("the disk is gone")

    with pytest.raises(Ds01Error, match="the disk is gone"):
        load(engine, image(tars), Watched(Tars.of(tars), fail, tars[1]), [names.tag()])

    found = engine.inspect(names.tag())
    assert found is not None
    assert found.engine_id == old.engine_id
    own = {
        each.engine_id for each in engine.images() if plain_layer(tars[1]).diff_id in each.diff_ids
    }
    assert not own - before


def test_layers_go_ahead_and_leave_nothing_behind(engine: Engine, names: Names) -> None:
    tars = _tars(3, 17 * MIB)
    builder = intermediate.this_builder()
    gone_ahead = threading.Event()
    source = Watched(Tars.of(tars), gone_ahead.set, tars[0])
    with Loading(engine, source, builder) as loading:
        loading.add(plain_layer(tars[0]))
        assert gone_ahead.wait(60)
        assert engine.inspect(names.tag()) is None
        for each in tars[1:]:
            loading.add(plain_layer(each))
        wanted = image(tars)
        loaded = loading.finish(wanted.config, wanted.layers, [names.tag()])

    assert loaded.size <= sum(map(len, tars)) + 3 * 65536
    assert set(loaded.layers) == {layer.diff_id for layer in wanted.layers}
    found = engine.inspect(names.tag())
    assert found is not None
    assert LABEL not in found.labels
    assert _intermediates(engine, builder.lease) == 0


def test_an_idle_engine_gets_less_ahead_unless_it_is_all(engine: Engine) -> None:
    """Five MiB are not worth an image of their own, but the engine's time is."""
    tars = _tars(2, 5 * MIB)
    for height, goes_ahead in ((2, True), (1, False), (0, False)):
        sent = threading.Event()
        source = Watched(Tars.of(tars), sent.set, tars[0])
        builder = intermediate.this_builder()
        with Loading(engine, source, builder, height=height) as loading:
            loading.add(plain_layer(tars[0]))
            assert sent.wait(30 if goes_ahead else 0.5) == goes_ahead


def test_a_build_that_fails_leaves_no_intermediate_image(engine: Engine, names: Names) -> None:
    tars = _tars(1, 17 * MIB)
    builder = intermediate.this_builder()
    gone_ahead = threading.Event()
    loading = Loading(engine, Watched(Tars.of(tars), gone_ahead.set, tars[0]), builder)
    with pytest.raises(KeyboardInterrupt), loading:  # noqa: PT012 (the block is the subject)
        loading.add(plain_layer(tars[0]))
        assert gone_ahead.wait(60)
        raise KeyboardInterrupt
    assert loading.wait(30)
    remove_intermediates(engine, builder.owner.uid)
    dead = builder.owner._replace(started=builder.owner.started + 1)  # as if it had ended
    assert not dead.may_live


def test_what_a_dead_builder_left_is_removed_and_a_living_ones_stays(engine: Engine) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from engines import Tars, image, tar, plain_layer
        from ds01build.engine import intermediate
        from ds01build.engine.archive import Loadable
        from ds01build.engine.connect import connect
        from ds01build.engine.load import send
        engine = connect({"DOCKER_HOST": sys.argv[1]}, Path("/nonexistent"))
        content = tar({"left": os.urandom(1000)})
        builder = intermediate.this_builder()
        layers = (plain_layer(content),)
        config = intermediate.config(layers, builder, engine.architecture)
        send(engine, Loadable(config=config, layers=layers), Tars.of([content]))
        print(builder.lease, flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), place(engine.kind)]
    with subprocess.Popen(
        command,
        cwd=Path(__file__).parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lease = process.stdout.readline().strip()
        uid = intermediate.this_builder().owner.uid
        remove_intermediates(engine, uid)
        while_alive = _intermediates(engine, lease)
        process.kill()
        process.wait()
        remove_intermediates(engine, uid + 1)
        for_another = _intermediates(engine, lease)
        removed = remove_intermediates(engine, uid)
    assert (while_alive, for_another, _intermediates(engine, lease)) == (1, 1, 0)
    assert removed >= 1


def test_a_builder_is_told_from_every_other() -> None:
    builder = intermediate.this_builder()
    assert Builder.parse(str(builder)) == builder
    owner = builder.owner
    assert owner.may_live
    assert not owner._replace(started=owner.started + 1).may_live
    assert not owner._replace(boot="0").may_live
    assert not owner._replace(pid=2**30).may_live
    assert owner._replace(namespace=1).may_live, "what can't be seen may live"


@pytest.mark.parametrize("text", ["", "x", "1/2/3", "0/a/1/1/1/0123456789abcdef\n", "/" * 9])
def test_a_label_that_ds01_did_not_write_names_nobody(text: str) -> None:
    assert Builder.parse(text) is None


def test_two_loads_of_one_image_at_once_both_succeed(engine: Engine, names: Names) -> None:
    tars = _tars(3, 6 * MIB)
    found: list[Digest] = []

    def one() -> None:
        with Loading(engine, Tars.of(tars), intermediate.this_builder()) as loading:
            for each in tars:
                loading.add(plain_layer(each))
            wanted = image(tars)
            loaded = loading.finish(wanted.config, wanted.layers, [names.tag()])
        found.append(loaded.engine_id)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1


def test_the_unix_socket_alone_says_whether_a_tag_is_current(engine: Engine, names: Names) -> None:
    tars = _tars(1)
    loaded = load(engine, image(tars), Tars.of(tars), [names.tag()])
    path = Path(place(engine.kind).removeprefix("unix://"))
    assert has(path, names.tag(), [str(loaded.engine_id)])
    assert not has(path, names.tag(), [f"sha256:{'0' * 64}"])
    assert not has(path, names.tag("other"), [str(loaded.engine_id)])
    assert not has(path.with_name("none.sock"), names.tag(), [str(loaded.engine_id)])


def test_that_question_loads_nothing_heavy() -> None:
    code = (
        "import sys, ds01build.engine.unix, ds01build.engine.names, ds01build.engine.address;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"docker", "requests", "urllib3", "rich"} & set(done.stdout.split())


@given(st.lists(st.integers(0, 700_000), min_size=1, max_size=6), st.data())
def test_an_archive_is_as_long_as_it_says_and_has_no_known_layer(
    sizes: list[int], data: st.DataObject
) -> None:
    tars = [tar({f"file-{place}": bytes(size)}) for place, size in enumerate(sizes)]
    known = data.draw(st.integers(0, len(tars)))
    source = Tars.of(tars)
    for form in (archive.docker_archive, archive.oci_archive):
        found = form(image(tars), Known(known), source)
        pieces = list(found)
        assert sum(map(len, pieces)) == len(found)
        assert all(len(piece) >= archive.CHUNK for piece in pieces[:-1])
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as opened:
            names = {member.name.removesuffix(".tar")[-64:] for member in opened}
        held = [address(each)[7:] in names for each in tars]
        assert held == [False] * known + [True] * (len(tars) - known)


def test_a_run_is_received_while_the_one_below_is_unpacked(engine: Engine, names: Names) -> None:
    tars = _tars(2, 17 * MIB)
    begun = threading.Event(), threading.Event()
    met: list[bool] = []

    def meet(own: int) -> None:
        begun[own].set()
        met.append(begun[1 - own].wait(10))

    lower = Watched(Tars.of(tars), partial(meet, 0), tars[0])
    source = Watched(lower, partial(meet, 1), tars[1])
    with Loading(engine, source, intermediate.this_builder()) as loading:
        for each in tars:
            loading.add(plain_layer(each))
        wanted = image(tars)
        loaded = loading.finish(wanted.config, wanted.layers, [names.tag()])
    assert met == [True, True], "one was sent after the other"
    assert loaded.size <= sum(map(len, tars)) + 3 * 65536


def test_a_run_that_fails_takes_those_above_it_along(engine: Engine, names: Names) -> None:
    tars = _tars(3, 17 * MIB)
    failures = iter((Ds01Error("the disk is gone"),))

    def fail_once() -> None:
        for failure in failures:
            raise failure

    source = Watched(Tars.of(tars), fail_once, tars[0])
    with Loading(engine, source, intermediate.this_builder()) as loading:
        for each in tars:
            loading.add(plain_layer(each))
        wanted = image(tars)
        loaded = loading.finish(wanted.config, wanted.layers, [names.tag()])
    found = engine.inspect(names.tag())
    assert found is not None
    assert found.engine_id == loaded.engine_id
    assert len(source.acted) == 2, "what failed ahead was sent once more"


def test_tags_name_the_user_and_the_configuration() -> None:
    digest = Digest(f"sha256:{'ab' * 32}")
    assert moving_tag(1000, "thesis-cv") == "ds01-1000/thesis-cv:latest"
    assert fixed_tag(1000, "thesis-cv", digest) == "ds01-1000/thesis-cv:abababababab"
