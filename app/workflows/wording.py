"""Put what a regridding did into words, Chinese and English."""

from collections.abc import Iterator, Mapping

from app.core.problems import CATALOGUE
from app.workflows.orphans import ENDED, UNDER_ENDED, Orphan
from app.workflows.regrid import Begun
from app.workflows.touched import Counts, Touched
from sync.errors import Problem

KINDS: Mapping[str, str] = {
    "household": "住户 households", "contact": "联系方式 contacts", "task": "任务 tasks",
    "incident": "事件 incidents",
}  # fmt: skip


FAULTS: Mapping[str, str] = {
    UNDER_ENDED: "上级单位已撤销，网格仍照常服务；请并入其他网格或改挂 / "
    "the unit above has ended, the grid is still served: flask grids merge, "
    "or import it below a unit that stands",
    ENDED: "网格已撤销但仍有记录；请执行 / it has ended and still holds records: "
    "flask grids sweep, or merge",
}


def lines(begun: Begun, before: Touched, after: Counts, names: Mapping[int, str]) -> Iterator[str]:
    """Yield what changed: each grid before and after, then people, phones and ground."""
    for grid in sorted({*begun.sources, *begun.targets}):
        yield f"{names.get(grid, str(grid))}: {_change(before.records[grid], after[grid])}"
    yield (
        f"任职 / posts: 结束 ended {begun.posts_ended}, 新授 given {begun.posts_given} · "
        f"涉及人员 people {before.workers}, 手机 phones {before.phones}"
    )
    if begun.uncovered_m2:
        yield (
            f"注意：{begun.uncovered_m2:,.0f} m² 不再属于任何网格，请补画 / "
            f"mind: {begun.uncovered_m2:,.0f} m² belong to no grid now; extend a neighbour"
        )


def _change(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    kinds = sorted({*before, *after})
    told = [f"{KINDS.get(one, one)} {before.get(one, 0)} → {after.get(one, 0)}" for one in kinds]
    return ", ".join(told) or "没有记录 / no records"


def left_line(name: str, number: int) -> str:
    """Return the words for records in an ended grid that has no heir."""
    return (
        f"{name}: {number} 条记录，没有接替网格；用 merge 指定 / "
        "records and no grid that took it over: name one with `flask grids merge`"
    )


def orphan_line(orphan: Orphan) -> str:
    """Return what is wrong with a grid, how much is at stake, and what to do."""
    return (
        f"{FAULTS[orphan.fault]}: {orphan.name} · 记录 records {orphan.records} · "
        f"人员 people {orphan.workers}"
    )


def swept_line(number: int) -> str:
    """Return how many records were handed on."""
    return f"已移交 {number} 条记录 / records handed on: {number}"


def problem(problem: Problem) -> str:
    """Return the words for a refusal, with what it names."""
    words = CATALOGUE.get(problem.code)
    title = f"{words.title_zh} / {words.title}: {words.next_step}" if words else problem.code
    errors = [str(one.get("detail") or one) for one in problem.extra.get("errors", [])]
    return "\n".join([title, *errors])
