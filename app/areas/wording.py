"""Put changes and findings of areas into words, Chinese and English."""

from collections.abc import Iterator, Mapping

from app.areas.coverage import Finding
from app.areas.editions import Plan, Revision

CHANGES = {
    "added": "新增 / added",
    "ended": "撤销 / ended",
    "revived": "恢复 / revived",
    "renamed": "更名 / renamed",
    "moved": "改隶 / moved",
    "recoded": "换码 / recoded",
    "reclassified": "改类 / reclassified",
    "drawn": "绘界 / drawn",
}
FINDINGS = {
    "circle_or_path": "上下级关系有误，请重新导入所属区划 / "
    "its place in the tree is wrong: import its divisions again",
    "ended_parent": "上级单位已撤销，请改挂现有单位 / "
    "the unit above has ended: import it below one that stands",
    "no_border": "没有边界，请用 import-grids 导入 / "
    "it has no border: import one with import-grids",
    "gap": "存在缝隙，请补齐边界 / no border covers this ground: extend a neighbour",
    "overlap": "边界重叠，请修改其一 / two borders cover the same ground: redraw one",
    "outside": "超出上级边界，请修改边界 / it lies beyond the border above it: redraw it",
}


def counts_line(counts: Mapping[str, int]) -> str:
    """Return how many areas each change touched; changes of none are left out."""
    told = [f"{CHANGES[name]} {count}" for name, count in counts.items() if count]
    return " · ".join(told) or "没有变化 / nothing changed"


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield one line for each unit that a plan changes."""
    for unit in plan.added:
        yield f"{CHANGES['added']}: {unit.code} {unit.name}"
    for was in plan.ended:
        yield f"{CHANGES['ended']}: {was.unit.code} {was.unit.name}"
    for was in plan.revived:
        yield f"{CHANGES['revived']}: {was.unit.code} {was.unit.name}"
    for revision in plan.revised:
        yield _revision_line(revision)


def _revision_line(revision: Revision) -> str:
    before, after = revision.was.unit, revision.unit
    changes = ", ".join(CHANGES[name] for name in CHANGES if name in revision.changes())
    return (
        f"{changes}: {before.code} {before.name} ({before.parent_code or '-'}, {before.kind})"
        f" → {after.code} {after.name} ({after.parent_code or '-'}, {after.kind})"
    )


def finding_line(finding: Finding, names: Mapping[int, str]) -> str:
    """Return a finding in words, with the areas, its size and where to look."""
    areas = ", ".join(names.get(area_id, str(area_id)) for area_id in finding.area_ids)
    size = f" {finding.area_m2:,.1f} m²" if finding.area_m2 else ""
    place = "" if finding.lon is None else f" @ {finding.lon:.6f},{finding.lat:.6f}"
    return f"{FINDINGS[finding.kind]} ({finding.kind}) {areas}{size}{place}".rstrip()
