"""Locks that hypothesis makes up: packages, tiers and layers that fit together."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from values import a_lock, a_target, an_image_lock, deb_pin, wheel_pin

from ds01build.lock import Lock, LockedLayer, LockedTier

NAMES = ("alpha", "beta", "gamma", "delta")
TIERS = ("one", "two")


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Return a lock of few packages over a Debian base or an image, so that two often meet."""
    base = draw(st.sampled_from([a_lock(), an_image_lock()]))
    chosen = draw(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["1.0", "1.10", "1.9"])))
    wheels = tuple(
        replace(
            wheel_pin(name, version=version, tier=draw(st.sampled_from(TIERS))),
            digest=wheel_pin(name, version=version, content=draw(st.sampled_from("xy"))).digest,
            index=draw(st.sampled_from(["default", "fast"])),
        )
        for name, version in sorted(chosen.items())
    )
    layers = [LockedLayer(tier=pin.tier, kind="wheels", names=(pin.name,)) for pin in wheels]
    debs = (deb_pin("libc6", version=draw(st.sampled_from(["1.0-1", "1.0-1+b1", "1.0~rc1-1"]))),)
    is_debian = base == a_lock()
    lowest = LockedLayer(tier="base", kind="debs", names=("libc6",))
    target = replace(a_target(), version=draw(st.sampled_from(["3.11.2", "3.11.9"])))
    return replace(
        base,
        target=target,
        image=replace(base.image, workdir=draw(st.sampled_from(["", "/work"]))),
        tiers=tuple(LockedTier(name=name, kind="python") for name in TIERS),
        debs=debs if is_debian else (),
        wheels=wheels,
        files=(),
        removed=(),
        layers=(*([lowest] if is_debian else []), *draw(st.permutations(layers))),
    )
