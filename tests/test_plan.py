"""Plans: pure, pinned for every target, and true about what would change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_cli.clouds.embedded.stages import PLATFORM_CONFIG, Wish, list_removals, list_stages
from platform_cli.layout import Layout
from platform_cli.plan import Operation, Plan, build_plan
from platform_cli.render.plan import plan_lines
from platform_cli.risk import Risk
from platform_cli.stage import ConfigMap, Facts, Folders, digest_of
from platform_cli.target import CloudName, Env, Target

Golden = Callable[[str, str], None]

LAYOUT = Layout(assets=Path("/opt/mlops"), project=Path("/home/ada/my prøject"))
STEPS = {"step.py": "print('hello')\n", "load_data.py": "import step\n"}


def make_wish(env: Env = Env.DEV, **changes: object) -> Wish:
    target = Target(CloudName.EMBEDDED, env)
    wish = Wish(
        target=target,
        home=LAYOUT.home(target.name),
        step_code="training-steps-0123456789",
        steps=STEPS,
        mlflow="3.17.2",
    )
    return dataclasses.replace(wish, **changes)  # type: ignore[arg-type]


def plan_deploy(wish: Wish, facts: Facts) -> Plan:
    return build_plan(Operation.DEPLOY, str(wish.target), list_stages(wish), facts)


def converged(wish: Wish) -> Facts:
    """The facts after a deploy of that wish that ended well."""
    stages = list_stages(wish)
    works = [stage.work for stage in stages]
    return Facts(
        folders=frozenset(path for work in works if isinstance(work, Folders) for path in work.paths),
        config_maps={work.config_map: digest_of(dict(work.data)) for work in works if isinstance(work, ConfigMap)},
        tracking=True,
        entries=frozenset({wish.home.journal, wish.home.logs, wish.home.tracking_database.parent}),
        applied={stage.name: stage.digest for stage in stages},
    )


def risks(plan: Plan) -> dict[str, Risk]:
    return {planned.stage.name: planned.risk for planned in plan.stages}


@pytest.mark.parametrize("env", Env)
def test_the_plan_of_every_target_is_pinned(env: Env, golden: Golden) -> None:
    wish = make_wish(env)
    removals = list_removals(wish.home, keep_data=False)
    plans = {
        "deploy": plan_deploy(wish, Facts()),
        "converged": plan_deploy(wish, converged(wish)),
        "destroy": build_plan(Operation.DESTROY, str(wish.target), removals, converged(wish)),
    }
    for name, plan in plans.items():
        golden(
            f"plan-{wish.target.name}-{name}.json", json.dumps(plan.to_document(), indent=1, ensure_ascii=False) + "\n"
        )
        golden(f"plan-{wish.target.name}-{name}.txt", "\n".join(plan_lines(plan)) + "\n")


def test_nothing_is_there_so_everything_is_created() -> None:
    assert set(risks(plan_deploy(make_wish(), Facts())).values()) == {Risk.CREATE, Risk.NONE}


def test_everything_is_there_so_nothing_changes() -> None:
    wish = make_wish()
    assert plan_deploy(wish, converged(wish)).changes == ()


def test_changed_step_code_changes_its_stage_alone() -> None:
    wish = make_wish()
    edited = make_wish(step_code="training-steps-ffffffffff", steps={**STEPS, "step.py": "print('bye')\n"})
    assert [planned.stage.name for planned in plan_deploy(edited, converged(wish)).changes] == ["training-steps"]


def test_a_config_map_edited_by_hand_is_put_right() -> None:
    wish = make_wish()
    facts = dataclasses.replace(converged(wish), config_maps={**converged(wish).config_maps, PLATFORM_CONFIG: "edited"})
    assert risks(plan_deploy(wish, facts))["platform-config"] is Risk.CHANGE


def test_another_mlflow_migrates_the_database() -> None:
    newer = make_wish(mlflow="3.18.0")
    assert [planned.stage.name for planned in plan_deploy(newer, converged(make_wish())).changes] == [
        "tracking-database"
    ]


def test_a_database_that_was_kept_is_adopted() -> None:
    plan = plan_deploy(make_wish(), Facts(tracking=True))
    assert risks(plan)["tracking-database"] is Risk.CHANGE
    assert "adopted" in plan.stages[2].reason


def test_a_missing_folder_is_a_change_not_a_creation() -> None:
    wish = make_wish()
    facts = dataclasses.replace(converged(wish), folders=converged(wish).folders - {wish.home.logs})
    assert risks(plan_deploy(wish, facts))["folders"] is Risk.CHANGE


def test_stopped_model_servers_are_started_and_named() -> None:
    wish = make_wish()
    facts = dataclasses.replace(converged(wish), servers=("iris", "wine"), servers_down=("wine",))
    (planned,) = plan_deploy(wish, facts).changes
    assert (planned.stage.name, planned.reason) == ("model-servers", "not running: wine")


@pytest.mark.parametrize("index", range(5))
def test_a_stage_in_doubt_runs_again_however_it_looks(index: int) -> None:
    wish = make_wish()
    name = list_stages(wish)[index].name
    facts = dataclasses.replace(converged(wish), interrupted=frozenset({name}))
    assert [planned.stage.name for planned in plan_deploy(wish, facts).changes] == [name]


def test_destroy_of_nothing_changes_nothing_and_kept_data_is_no_reason() -> None:
    home = make_wish().home
    nothing = build_plan(Operation.DESTROY, "embedded/dev", list_removals(home, keep_data=False), Facts())
    assert nothing.changes == ()
    kept = Facts(entries=frozenset({home.tracking_database.parent}))
    assert build_plan(Operation.DESTROY, "embedded/dev", list_removals(home, keep_data=True), kept).changes == ()
    assert build_plan(Operation.DESTROY, "embedded/dev", list_removals(home, keep_data=False), kept).changes != ()


def test_every_stage_needs_only_earlier_ones() -> None:
    for stages in (list_stages(make_wish()), list_removals(make_wish().home, keep_data=True)):
        names = [stage.name for stage in stages]
        assert len(set(names)) == len(names)
        assert all(need in names[:index] for index, stage in enumerate(stages) for need in stage.needs)


TEXTS = st.dictionaries(st.sampled_from(["a.py", "b.py", "c.py"]), st.text(max_size=5))
FACTS = st.builds(
    Facts,
    tracking=st.booleans(),
    servers_down=st.sampled_from([(), ("iris",)]),
    interrupted=st.frozensets(st.sampled_from(["folders", "training-steps", "gone"])),
)


@given(first=TEXTS, second=TEXTS, facts=FACTS)
def test_equal_wishes_and_facts_make_equal_plans_and_others_do_not(
    first: dict[str, str], second: dict[str, str], facts: Facts
) -> None:
    one, two = (plan_deploy(make_wish(steps=steps), facts) for steps in (first, second))
    assert (one.digest == two.digest) == (first == second)
    assert plan_deploy(make_wish(steps=dict(reversed(first.items()))), facts).digest == one.digest


@given(steps=TEXTS, facts=FACTS)
def test_a_plan_that_was_carried_out_leaves_nothing_to_do(steps: dict[str, str], facts: Facts) -> None:
    wish = make_wish(steps=steps)
    assert plan_deploy(wish, facts).target == "embedded/dev"
    assert plan_deploy(wish, converged(wish)).changes == ()
    json.dumps(plan_deploy(wish, facts).to_document())
