"""The end of the story: what each phone shows, side by side, and that nothing was lost."""

from app.phone import acts, columns, wording
from app.phone.scene import Player, Scene, expect
from sync.digest import as_hex, scope_digest
from sync.replica_tables import Row

LABEL_CELLS, PHONE_CELLS = 22, 32


def show(scene: Scene) -> None:
    """Show what came of it all.

    Raises:
        Untrue: something is not as told.
    """
    compare(scene)
    look_at_conflict(scene)
    look_at_parked(scene)
    repair(scene)


def compare(scene: Scene) -> None:
    """Show both phones side by side: they show the same, and hold what the server holds."""
    seen_a, seen_b = (_seen(scene, player) for player in scene.players)
    scene.tell("⑤ 两台手机所见 / what each phone sees")
    scene.tell(_line("", scene.a.name, scene.b.name))
    for label, value in seen_a.items():
        scene.tell(_line(label, value, seen_b[label]))
    expect(seen_a == seen_b, "both phones show the same")
    alarms = [alarm for player in scene.players for alarm in player.phone.replica.alarms]
    expect(not alarms, "both phones hold what the server holds")


def _line(label: str, left: str, right: str) -> str:
    return "   " + columns.row((label, LABEL_CELLS), (left, PHONE_CELLS), (right, PHONE_CELLS))


def _seen(scene: Scene, player: Player) -> dict[str, str]:
    """Return what a phone shows of the story, and the digest of all it holds of the grid."""
    ids = scene.ids
    task, contact = player.row("task", ids["task"]), player.row("contact", ids["contact"])
    expect(task.values["state"] == "done", "the task is done")
    held = player.phone.replica.memory.shown(f"grid:{scene.stage.grid}")
    return {
        "任务 task": wording.TASK_STATES[task.values["state"]],
        "新住户 new household": player.row("household", ids["new"]).values["address_text"],
        "联系人 contact": f"{contact.values['name']} {contact.values['phone']}",
        "A 的事件 A's incident": _incident(scene, player.row("incident", ids["lamp"])),
        "B 的事件 B's incident": _incident(scene, player.row("incident", ids["litter"])),
        "居住状况 occupancy": _occupancy(player.row("household", ids["household"]).values),
        "网格记录数 records": str(len(held)),
        "摘要 digest": as_hex(scope_digest(held)),
    }  # fmt: skip


def _incident(scene: Scene, row: Row) -> str:
    expect(row.values["grid"] == scene.stage.grid, "the server found the grid of the incident")
    return f"{row.values['text']} → #{row.values['grid']}"


def _occupancy(values: acts.Values) -> str:
    return wording.OCCUPANCY[values["occupancy"]]


def look_at_conflict(scene: Scene) -> None:
    """Show the intended conflict: both values are kept, on both phones."""
    scene.tell("⑥ 同一户的冲突：两个值都保留 / the conflict of one home: both values are kept")
    on_a, on_b = (_conflict(scene, player) for player in scene.players)
    expect(on_a.values == on_b.values, "both phones show the same conflict")
    won, lost = on_a.values["won"], on_a.values["lost"]
    said = {side["values"]["occupancy"] for side in (won, lost)}
    expect(said == set(scene.choices), "the conflict holds both values")
    for chinese, english, side in (("生效", "stands", won), ("备选", "kept aside", lost)):
        author = next(p for p in scene.players if p.phone.replica.device == side["device"])
        scene.say(author.letter, f"{chinese}：{_occupancy(side['values'])}", english)
    scene.tell(f"   → 一键换选 / one tap swaps them: resolve {acts.short(on_a.rec)} swap")


def _conflict(scene: Scene, player: Player) -> Row:
    """Return the conflict of this performance as a phone shows it."""
    ours = {one.phone.replica.device for one in scene.players}
    found = [
        row
        for row in player.phone.replica.conflicts()
        if row.values["record"] == scene.ids["household"]
        and {row.values[side]["device"] for side in ("won", "lost")} == ours
    ]
    expect(len(found) == 1, f"{player.name} shows the conflict")
    return found[0]


def look_at_parked(scene: Scene) -> None:
    """Show the bad edit: parked with its reason, whole, while the others went through."""
    scene.tell("⑦ 有误的编辑被搁置，其余生效 / the bad edit is parked, the others went through")
    parked = _parked(scene.b)
    expect(
        [one.values["record"] for one in parked] == [scene.ids["bad"]], "one edit of B is parked"
    )
    expect(not _parked(scene.a), "no edit of A is parked")
    values = parked[0].values
    scene.tell(f"   B {values['edit']['set']['text']} → {wording.reason(values)}")
    waiting = {row["id"] for row in scene.office.every("/parked-edits?limit=200")}
    expect(parked[0].rec in waiting, "the office sees the parked edit")
    scene.ids["parked"] = parked[0].rec


def _parked(player: Player) -> list[Row]:
    """Return what this very phone has parked; its holder may have other phones and older work."""
    device = player.phone.replica.device
    return [row for row in player.phone.parked() if row.values["device"] == device]


def repair(scene: Scene) -> None:
    """Correct the bad edit at the desk: it goes through as B's own, and both phones show it."""
    scene.tell("⑧ 办公室更正并放行 / the office corrects it and lets it through")
    scene.office.repair(scene.ids["parked"], {"category": scene.category})
    # Phones are not told who reported; the office is.
    known = scene.office.ask("GET", f"/incidents/{scene.ids['bad']}")
    expect(known["reporter"] == scene.b.user["id"], "the incident is B's own")
    for player in (scene.b, scene.a):
        player.phone.sync()
        row = player.row("incident", scene.ids["bad"])
        scene.tell(f"   {player.letter} {_incident(scene, row)}")
    expect(not _parked(scene.b), "nothing of B is parked any more")
