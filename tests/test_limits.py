"""What a user may have, from a site's files: which value counts, and what is refused where."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ds01build.container import Resources
from ds01build.errors import Ds01Error
from ds01build.limits import (
    FALLBACK,
    Capacity,
    Limits,
    Rules,
    members_in,
    overrides_in,
    resolve,
    resources,
    rules_in,
)
from ds01build.limits.bounds import BOUNDS
from ds01build.limits.document import MAX_VALUES, TEXT_LIMIT

GIB = 1024**3
FILE = "/etc/ds01/resource-limits.yaml"
USERS = "/etc/ds01/user-overrides.yaml"
SITE = """
defaults:
  max_gpu_equivalents: 1.0
  max_gpu_slots_per_container: 1
  allow_full_gpu: true
  max_cpus: 32
  memory: 32g
  memory_swap: 32g
  shm_size: 16g
  pids_limit: 4096
  max_containers_per_user: 3
  max_runtime_h: 24
  idle_timeout_h: 0.5
  gpu_hold_after_stop_h: 0.25
  container_hold_after_stop_h: 0.5
  max_tasks: 32768
default_group: student
enforcement:
  aggregate_limits: true
  cgroup_driver: systemd
groups:
  student:
    max_gpu_equivalents: 2.0
    max_gpu_slots_per_container: 2
    aggregate:
      {cpu_quota: "9600%", memory_max: 96G, memory_high: 86G, tasks_max: 12288, gpu_limit: 2.0}
    policies: {gpu_idle_threshold: 5, idle_detection_window: 3}
  faculty:
    members: [dean]
    max_gpu_equivalents: 4.0
    max_gpu_slots_per_container: 4
    max_cpus: 64
    memory: 128g
    memory_swap: 128g
    shm_size: 64g
    max_containers_per_user: 5
    max_runtime_h: 72
    idle_timeout_h: 2
  admin:
    max_gpu_equivalents: null
    max_gpu_slots_per_container: null
    max_containers_per_user: 10
    max_tasks: null
gpu_allocation:
policies: {high_demand_threshold: 0.8, grace_period_m: 30}
container_types:
  devcontainer:
    {idle_timeout_h: null, max_runtime_h: 168, default_mig_count: {student: 1, admin: null}}
monitoring: {infrastructure_containers: [ds01-grafana]}
bare_metal_access: {admin_group: ds01-admin}
access_control: {wrapper: {debug_level: 0}}
"""


def site(text: str = SITE) -> Rules:
    return rules_in(FILE, text)


def limits(text: str, login: str = "anna") -> Limits:
    return resolve(site(text), login)


def wrong(text: str) -> str:
    with pytest.raises(Ds01Error) as caught:
        limits(text)
    assert caught.value.exit_code == 1
    return str(caught.value)


def test_who_is_in_no_group_has_what_the_default_group_has_over_the_defaults() -> None:
    found = resolve(site(), "anna")
    assert (found.group, found.cpus, found.memory) == ("student", 32.0, 32 * GIB)
    assert (found.memory_swap, found.shm_size, found.pids) == (32 * GIB, 16 * GIB, 4096)
    assert (found.max_containers, found.max_gpu_equivalents) == (3, 2.0)
    assert (found.max_gpu_slots_per_container, found.allow_full_gpu) == (2, True)
    assert (found.max_runtime_h, found.idle_timeout_h) == (24.0, 0.5)
    assert (found.gpu_hold_after_stop_h, found.container_hold_after_stop_h) == (0.25, 0.5)
    assert (found.aggregate_cpus, found.aggregate_memory) == (96.0, 96 * GIB)
    assert (found.aggregate_tasks, found.aggregate_gpus, found.max_tasks) == (12288, 2.0, 32768)
    assert found.origin("memory") == "defaults.memory"
    assert found.origin("max_gpu_equivalents") == "groups.student.max_gpu_equivalents"
    assert found.notes == site().warnings == ()


def test_a_file_of_members_says_who_is_in_a_group() -> None:
    text = "# professors\n\nw.lowe@example.org   # since 2020\n  204214  \n"
    rules = site().joined({"faculty": members_in(text)})
    assert members_in(text) == {"w.lowe@example.org", "204214"}
    for login in ("w.lowe@example.org", "204214@example.org", "dean"):
        assert resolve(rules, login).group == "faculty", login
    assert resolve(rules, "w_lowe").group == "student"


def test_a_null_is_no_limit() -> None:
    found = resolve(site().joined({"admin": frozenset({"root"})}), "root")
    assert found.max_gpu_equivalents is found.max_gpu_slots_per_container is found.max_tasks is None
    assert found.max_containers == 10
    assert found.aggregate_memory is None, "of a group, and not of the defaults"
    everything = {name: None for bound in BOUNDS for name in bound.names if "." not in name}
    del everything["allow_full_gpu"]
    free = limits(yaml.safe_dump({"defaults": everything}))
    assert all(getattr(free, bound.field) in (None, False) for bound in BOUNDS)


def test_a_user_with_a_section_has_it_over_the_defaults_and_nothing_of_his_group() -> None:
    own = overrides_in(USERS, "'dean': {max_runtime_h: null, memory_swap: 40g}\n")
    found = resolve(site().overriding(own), "dean")
    assert (found.group, found.max_runtime_h, found.memory_swap) == ("override", None, 40 * GIB)
    assert (found.cpus, found.memory, found.max_containers) == (32.0, 32 * GIB, 3)
    assert found.aggregate_memory is None
    assert found.slice == "ds01-override-dean.slice"
    assert found.origin("memory_swap") == f"{USERS}: dean.memory_swap"
    assert found.notes == ("dean has a section, so that the values of faculty do not count",)


def test_the_file_of_users_comes_before_the_section_of_users() -> None:
    rules = site(SITE + "user_overrides:\n  anna: {max_cpus: 1}\n  bert: {max_cpus: 2}\n")
    found = rules.overriding(overrides_in(USERS, "anna: {memory: 16g}"))
    assert (resolve(found, "anna").cpus, resolve(found, "bert").cpus) == (32.0, 2.0)


def test_a_user_is_looked_for_by_login_and_then_by_the_name_made_of_it() -> None:
    text = """
    h_baker: {max_cpus: 1}
    "h.baker@example.org": {max_cpus: 2}
    "204214": {max_cpus: 3}
    204215:
    """
    rules = site().overriding(overrides_in(USERS, text))
    logins = ("h.baker@example.org", "h.baker@example.com", "204214@example.org")
    assert [resolve(rules, login).cpus for login in logins] == [2.0, 1.0, 3.0]
    assert resolve(rules, "204215").group == "override", "a key of digits is a name"


def test_who_is_in_two_groups_is_in_the_first_one_of_the_file() -> None:
    both = frozenset({"anna"})
    assert resolve(site().joined({"admin": both, "faculty": both}), "anna").group == "faculty"


@pytest.mark.parametrize(
    ("names", "field"),
    [(bound.names, bound.field) for bound in BOUNDS if len(bound.names) > 1],
)
def test_the_newest_name_of_a_limit_counts_wherever_it_stands(
    names: tuple[str, ...], field: str
) -> None:
    for index, name in enumerate(names):
        older = [f"    {each}: 9" for each in names[index + 1 :]]
        lines = ["defaults:", f"  {name}: 7", "groups:", "  student:", *older, "    priority: 1"]
        found = limits("\n".join(lines))
        assert getattr(found, field) == 7
        assert found.notes == tuple(
            f"groups.student.{each} does not count, since defaults.{name} is there"
            for each in names[index + 1 :]
        )


def test_times_of_older_files_have_units() -> None:
    found = limits("""
    defaults:
      max_runtime: 2d
      idle_timeout: 30m
      gpu_hold_after_stop: 0.25h
      container_hold_after_stop: 36s
    """)
    assert (found.max_runtime_h, found.idle_timeout_h) == (48.0, 0.5)
    assert (found.gpu_hold_after_stop_h, found.container_hold_after_stop_h) == (0.25, 0.01)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("32g", 32 * GIB),
        ("32G", 32 * GIB),
        ("32 GiB", 32 * GIB),
        ("32gb", 32 * GIB),
        ("1.5g", 3 * GIB // 2),
        ("512m", GIB // 2),
        ("1t", 1024 * GIB),
        (str(GIB), GIB),
        ("20971520.0", 20 << 20),
    ],
)
def test_a_size_is_what_docker_takes_it_for(text: str, size: int) -> None:
    assert limits(f"defaults: {{memory: {text}, shm_size: 6m}}").memory == size


def test_without_a_file_the_limits_are_those_that_the_sites_programs_fall_back_to() -> None:
    found = resolve(FALLBACK, "anna")
    assert (found.group, found.cpus, found.pids) == ("student", 16.0, 4096)
    assert (found.memory, found.memory_swap, found.shm_size) == (32 * GIB, 32 * GIB, 16 * GIB)
    assert (found.max_containers, found.max_gpu_equivalents) == (None, 1.0)
    assert found.allow_full_gpu
    assert not found.slice
    assert found.origin("cpus") == "ds01, since no file says it"


def test_a_file_that_does_not_say_a_limit_has_the_same_but_three_containers_and_no_gpu() -> None:
    for text in ("", "defaults:", "groups: {student: }", "# nothing\n"):
        found = resolve(site(text), "anna")
        assert (found.max_containers, found.allow_full_gpu) == (3, False)
        same = replace(found, max_containers=None, allow_full_gpu=True, source="", origins=())
        assert same == replace(resolve(FALLBACK, "anna"), origins=())


def test_swap_and_shared_memory_that_nobody_says_go_with_the_memory() -> None:
    found = limits("defaults: {memory: 8g}")
    assert (found.memory_swap, found.shm_size) == (8 * GIB, 8 * GIB)


def test_an_aggregate_is_replaced_as_a_whole() -> None:
    found = limits("""
    defaults: {aggregate: {gpu_limit: 1, tasks_max: 5}}
    groups: {student: {aggregate: {tasks_max: 9}}}
    """)
    assert (found.aggregate_gpus, found.aggregate_tasks) == (None, 9)


def test_both_limits_of_gpus_hold() -> None:
    assert resolve(site(), "anna").gpu_equivalents == 2.0
    assert replace(Limits(), aggregate_gpus=3.0).gpu_equivalents == 3.0
    assert replace(Limits(), aggregate_gpus=3.0, max_gpu_equivalents=1.0).gpu_equivalents == 1.0
    assert Limits().gpu_equivalents is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("defaults: {max_cpus: -1}", "defaults.max_cpus: -1 is negative; null is for no limit"),
        ("defaults: {max_cpus: 0}", "defaults.max_cpus: 0 processors are less than 0.01"),
        ("defaults: {max_cpus: many}", "defaults.max_cpus: expected a number"),
        ("defaults: {max_cpus: true}", "defaults.max_cpus: expected a number"),
        ("defaults: {max_cpus: .inf}", "defaults.max_cpus: expected a number, at most 2**53"),
        ("defaults: {max_cpus: .nan}", "defaults.max_cpus: expected a number, at most 2**53"),
        ("defaults: {memory: 32}", "defaults.memory: 32 bytes are less than the 6m"),
        ("defaults: {memory: 32x}", "defaults.memory: expected a size, as 32g"),
        ("defaults: {memory: -32g}", "defaults.memory: expected a size, as 32g"),
        ("defaults: {memory: [32g]}", "defaults.memory: expected a size, as 32g"),
        ("defaults: {memory: 999999999999t}", "defaults.memory: expected a whole number, at most"),
        ("defaults: {shm_size: 0}", "defaults.shm_size: 0 bytes"),
        ("defaults: {pids_limit: 1.5}", "defaults.pids_limit: expected a whole number, found 1.5"),
        ("defaults: {pids_limit: 0}", "defaults.pids_limit: 0 is not more than 0"),
        ("defaults: {idle_timeout_h: soon}", "defaults.idle_timeout_h: expected hours"),
        ("defaults: {idle_timeout_h: 2026-11-28}", "defaults.idle_timeout_h: expected hours"),
        ("defaults: {allow_full_gpu: 1}", "defaults.allow_full_gpu: expected true or false"),
        ("defaults: {allow_full_gpu: null}", "defaults.allow_full_gpu: expected true or false"),
        ("defaults: 7", "defaults: expected a table"),
        ("defaults: {aggregate: {cpu_quota: 96}}", "defaults.aggregate.cpu_quota: 96 is not a quo"),
        ("defaults: {aggregate: 7}", "defaults.aggregate: expected a table"),
        ("groups: [student]", "groups: expected a table"),
        ("groups: {student: {memory: no}}", "groups.student.memory: expected a size"),
        ("groups: {../x: {}}", "groups.'../x': not the name of a group"),
        ("groups: {a--b: {}}", "groups.a--b: not the name of a group"),
        ("groups: {.a: {}}", "groups.'.a': not the name of a group"),
        ("groups: {student: {members: anna}}", "groups.student.members: expected an array"),
        ("groups: {student: {members: [204214]}}", "groups.student.members[0]: expected a user"),
        ("groups: {student: {policies: {window: -3}}}", "groups.student.policies.window: negative"),
        ("default_group: [a]", "default_group: expected the name of a group"),
        ("enforcement: {aggregate_limits: maybe}", "enforcement.aggregate_limits: expected true"),
        ("enforcement: {cgroup_driver: upstart}", "enforcement.cgroup_driver: expected systemd or"),
        ("policies: {high_demand_threshold: -0.8}", "policies.high_demand_threshold: negative"),
        ("container_types: {docker: {max_runtime_h: -1}}", "container_types.docker.max_runtime_h"),
        ("user_overrides: {a.b@c.d: {memory: x}}", "user_overrides.'a.b@c.d'.memory: expected"),
        ("user_overrides: anna", "user_overrides: expected a table"),
        ("- a list", "expected a table"),
        ("a: b: c", "line 1: not YAML"),
        ("a: *b", "line 1: not YAML"),
        ("a: 1\na: 2", "line 2: 'a' is there twice"),
        ("? [a]\n: 1", "line 1: a key that is no string"),
        ("a: !!python/name:os.system ", "line 1: the tag"),
        ("a: !!binary aGk=", "line 1: the tag"),
        ("a: &x [*x]", "line 1: nested too deeply, or within itself"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("a: " + "9" * 5000, "it has a number or a date"),
        ("a: 2026-13-45", "it has a number or a date"),
        ("a: \x01", "not YAML: it has characters that YAML"),
        ("a: 1\n---\nb: 2", "line 2: not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_place(text: str, problem: str) -> None:
    said = wrong(text)
    assert said.startswith(f"{FILE}: {problem}")


def test_everything_wrong_is_told_at_once() -> None:
    said = wrong("defaults: {memory: x, max_cpus: -1}\ngroups: {student: {pids_limit: y}}")
    assert [line.split(": ")[1] for line in said.splitlines()] == [
        "groups.student.pids_limit",
        "defaults.memory",
        "defaults.max_cpus",
    ]


def test_a_document_that_grows_is_refused_before_it_does() -> None:
    nested = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    assert f"more than {MAX_VALUES} values" in wrong("\n".join(nested))
    merged = ["b0: &b0 {x: 1}"]
    merged += [f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}" for n in range(1, 40)]
    assert f"more than {MAX_VALUES} values" in wrong("\n".join(merged))
    assert f"longer than {TEXT_LIMIT} characters" in wrong("#" * (TEXT_LIMIT + 1))


def test_anchors_and_merges_are_read_as_they_are_meant() -> None:
    text = "defaults: &d {memory: 64g, shm_size: 1g}\ngroups: {student: {<<: *d, shm_size: 2g}}"
    found = limits(text)
    assert (found.memory, found.shm_size) == (64 * GIB, 2 * GIB)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (
            "memory: 32g, memory_swap: 16g",
            "defaults.memory_swap: 16.0 GiB are less than memory, which is 32.0 GiB (defaults.mem",
        ),
        (
            "memory: null, memory_swap: 16g",
            "less than memory, which has no limit (defaults.memory)",
        ),
    ],
)
def test_values_that_no_engine_takes_together_are_told_with_their_places(
    values: str, problem: str
) -> None:
    assert problem in wrong(f"defaults: {{{values}}}")


def test_what_contradicts_itself_for_one_user_is_no_matter_to_others() -> None:
    text = "defaults: {memory: 32g, memory_swap: 32g}\nuser_overrides: {bert: {memory: 64g}}"
    assert limits(text, "anna").memory == 32 * GIB
    with pytest.raises(Ds01Error, match=r"defaults\.memory_swap: .*user_overrides\.bert\.memory"):
        limits(text, "bert")


def test_a_section_that_lowers_memory_lowers_what_is_shared_of_it() -> None:
    text = "defaults: {memory: 32g, shm_size: 16g}\ngroups: {student: {memory: 256m}}"
    found = limits(text, "anna")
    assert (found.memory, found.shm_size) == (GIB // 4, GIB // 4)
    assert found.origin("shm_size") == "memory, since defaults.shm_size (16.0 GiB) is more"


def test_what_is_wrong_comes_with_the_file_to_put_right() -> None:
    for text in ("defaults: {memory: 32x}", "defaults: {memory: 2g, memory_swap: 1g}"):
        with pytest.raises(Ds01Error) as caught:
            limits(text)
        assert FILE in str(caught.value)
        assert caught.value.hint == (
            f"who administers this machine puts {FILE} right;"
            " DS01_LIMITS=FILE ds01 limits show tries another one out"
        )


def test_what_is_not_known_is_warned_of_and_no_error() -> None:
    text = (
        "defalts: {}\ndefault_group: ghost\ngroups: {student: {max_cpu: 4, priority: 3, 'x y': 1}}"
    )
    assert site(text).warnings == (
        f"{FILE}: defalts: unknown section; did you mean 'defaults'?",
        f"{FILE}: groups.student.max_cpu: unknown key: it limits nothing; did you mean 'max_cpus'?",
        f"{FILE}: groups.student.'x y': unknown key: it limits nothing",
        f"{FILE}: default_group: there is no group 'ghost'",
    )
    assert resolve(site(text), "anna").group == "ghost"


VALUES = st.one_of(st.none(), st.integers(1, 500))
TABLES = st.fixed_dictionaries(
    {}, optional={"max_cpus": VALUES, "pids_limit": VALUES, "max_containers_per_user": VALUES}
)
FIELDS = {"max_cpus": "cpus", "pids_limit": "pids", "max_containers_per_user": "max_containers"}


@given(TABLES, TABLES, TABLES, TABLES, st.sampled_from(["none", "group", "user", "both"]))
def test_a_user_comes_before_a_group_and_a_group_before_the_defaults(
    defaults: dict[str, int | None],
    group: dict[str, int | None],
    default_group: dict[str, int | None],
    user: dict[str, int | None],
    place: str,
) -> None:
    document = {
        "defaults": defaults,
        "groups": {"student": default_group, "lab": {**group, "members": ["anna"]}},
        "user_overrides": {"anna": user},
    }
    if place not in ("user", "both"):
        del document["user_overrides"]
    if place not in ("group", "both"):
        document["groups"]["lab"]["members"] = []  # type: ignore[index]
    found = limits(yaml.safe_dump(document))
    upper = {"none": default_group, "group": group}.get(place, user)
    expected = {**dict.fromkeys(FIELDS, "absent"), **defaults, **upper}
    absent = {bound.field: bound.absent for bound in BOUNDS}
    for key, field in FIELDS.items():
        value = absent[field] if expected[key] == "absent" else expected[key]
        assert getattr(found, field) == value
    assert found.group == {"none": "student", "group": "lab"}.get(place, "override")


@given(st.text(max_size=40), st.text(max_size=300))
def test_any_text_is_rules_or_an_error_with_its_file(login: str, text: str) -> None:
    problem = FILE
    try:
        resolve(rules_in(FILE, text), login)
    except Ds01Error as error:
        problem = str(error)
    assert problem.startswith(FILE)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["defaults", "groups", "student", "memory", "max_cpus", "aggregate", "members"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_document_is_rules_or_an_error_with_its_file(document: object) -> None:
    problem = FILE
    try:
        limits(yaml.safe_dump({"groups": document, "defaults": document}))
    except Ds01Error as error:
        problem = str(error)
    assert problem.startswith(FILE)


def test_a_container_is_given_its_users_limits() -> None:
    given_ = resources(resolve(site(), "anna"), Capacity(cpus=64, memory=512 * GIB))
    assert given_ == Resources(
        cpus=32.0, memory=32 * GIB, memory_swap=32 * GIB, shm_size=16 * GIB, pids=4096
    )


def test_an_engine_is_asked_for_no_more_processors_than_it_has() -> None:
    assert resources(Limits(cpus=32.0), Capacity(cpus=2)).cpus == 2.0
    assert resources(Limits(), Capacity(cpus=2)).cpus is None


def test_what_has_no_limit_is_said_as_the_engine_takes_it() -> None:
    capacity = Capacity(memory=64 * GIB)
    free = resources(Limits(), capacity)
    assert (free.memory, free.memory_swap, free.pids) == (None, None, None)
    assert free.shm_size == 64 * GIB
    some = resources(Limits(memory=GIB), capacity)
    assert (some.memory_swap, some.shm_size) == (-1, GIB)
    assert resources(Limits(), Capacity()) == Resources()
    assert resources(Limits(storage_tmp=GIB), capacity).tmp == GIB


@pytest.mark.parametrize(
    ("enforcement", "driver", "parent"),
    [
        ("aggregate_limits: true, cgroup_driver: systemd", "systemd", "ds01-student-h_baker.slice"),
        ("aggregate_limits: true", "systemd", "ds01-student-h_baker.slice"),
        ("aggregate_limits: true, cgroup_driver: systemd", "cgroupfs", ""),
        ("aggregate_limits: true, cgroup_driver: cgroupfs", "systemd", ""),
        ("aggregate_limits: false", "systemd", ""),
        ("", "systemd", ""),
    ],
)
def test_a_slice_is_asked_for_where_site_and_engine_have_them(
    enforcement: str, driver: str, parent: str
) -> None:
    found = limits(f"enforcement: {{{enforcement}}}", "h.baker@example.org")
    assert resources(found, Capacity(cgroup_driver=driver)).cgroup_parent == parent


@pytest.mark.parametrize(
    ("login", "name"),
    [
        ("204214@example.org", "204214"),
        ("m" * 40, f"{'m' * 27}_"),
        ("a-b", "a_b"),
        ("...", ""),
    ],
)
def test_a_slice_has_the_name_that_the_sites_programs_give_it(login: str, name: str) -> None:
    found = limits("enforcement: {aggregate_limits: true}", login).slice
    assert re.fullmatch(rf"ds01-student-{name}[0-9a-f]{{0,4}}\.slice" if name else "", found)
