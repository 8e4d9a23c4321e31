"""The story of two phones: offline work of two people becomes one truth, and nothing is lost."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from app.phone import acts, evidence, forms, wording
from app.phone.client import Phone
from app.phone.home import Home
from app.phone.line import Away
from app.phone.office import Office
from app.phone.scene import Player, Scene, Untrue, expect

NOWHERE = "http://127.0.0.1:9"
"""A server that is not there: a phone that talks to it is out of reach of the network."""
BAD_CATEGORY = "9999"
NO_PHOTO = "演示，未拍照 a demo, no photo taken"
ALL_WELL = dict.fromkeys(("roads", "fire_lanes", "wires", "rubbish", "lights"), "ok")
"""The answers to the checklist of an inspection that found everything in order."""
STEPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("accepted", {}), ("started", {}), ("done", {"report_text": "已走访，情况正常"}),
)  # fmt: skip


def play(office: Office, folder: Path, now: datetime, tell: Callable[[str], None]) -> None:
    """Play the whole story on fresh phones.

    Args:
        folder: where the phones keep what is theirs.
        now: gives the fresh records their name.

    Raises:
        Untrue: something did not come out as told.
    """
    stage = office.stage()
    a = Player("A", stage.first, Phone(Home(folder / "a")))
    b = Player("B", stage.second, Phone(Home(folder / "b")))
    scene = Scene(office, stage, a, b, tell, f"巡查 {now:%m-%d %H:%M:%S}")
    tell(f"服务器 server {office.line.server} · 网格 grid {stage.name} #{stage.grid}")
    try:
        for chapter in (assign, enrol, lose_network, work_on_a, work_on_b, try_to_sync, come_back):
            chapter(scene)
        evidence.show(scene)
    finally:
        leave(scene)


def assign(scene: Scene) -> None:
    """Assign a task from the desk of the township."""
    task = scene.office.assign(scene.stage, scene.title)
    scene.ids["task"] = task["id"]
    scene.category = scene.office.category()["code"]
    scene.tell("① 办公室派发任务 / the office assigns a task")
    scene.tell(f"   {scene.office.name} → {scene.a.name}：{scene.title}")


def enrol(scene: Scene) -> None:
    """Enrol both phones by code, and receive the grid."""
    scene.tell("② 两台手机凭一次性登记码登记 / two phones enrol with one-time codes")
    for player in scene.players:
        player.phone.enrol(scene.office.code_for(player.user), scene.office.line.server)
        done = player.phone.sync()
        forms.fetch(player.phone)
        scene.tell(f"   {player.name}：收到 received {done.received}")
    task = scene.b.row("task", scene.ids["task"])
    expect(task.values["state"] == "assigned", "both phones show the task")


def lose_network(scene: Scene) -> None:
    """Take the network away; choose the home that both will visit."""
    for player in scene.players:
        player.phone.home.keep(server=NOWHERE)
    rows = scene.a.phone.replica.rows("household").values()
    home = min((row for row in rows if row.values["door_point"]), key=lambda row: row.rec)
    scene.ids["household"], scene.place = home.rec, tuple(home.values["door_point"])
    present = home.values["occupancy"]
    first, second = [one for one in ("empty", "seasonal", "lived_in") if one != present][:2]
    scene.choices = (first, second)
    scene.tell("③ 都没有网络，照常工作 / both are offline, work goes on")


def work_on_a(scene: Scene) -> None:
    """Do the task, capture a household with a contact, report an incident, update a home."""
    phone, title, place = scene.a.phone, scene.title, scene.place
    for state, values in STEPS:
        task = scene.a.row("task", scene.ids["task"])
        if state == "done" and task.values.get("form"):
            forms.answer(phone, task, ALL_WELL)
        acts.step_task(phone, task, state, **values)
    scene.say("A", "接受、开始、完成任务", "accepts, starts and does the task")
    new = acts.capture_household(phone, scene.stage.grid, address=f"示例院 {title[3:]}",
                                 occupancy="lived_in", building="1号楼", room="101",
                                 door=place)  # fmt: skip
    number = f"199{phone.clock().wall_ms % 10**8:08d}"
    scene.ids |= {"new": new, "contact": acts.add_contact(phone, new, name="安宁", number=number)}
    scene.say("A", "采集一户及联系人", "captures a household with a contact")
    scene.ids["lamp"] = acts.report_incident(
        phone,
        category=scene.category,
        text=f"{title[3:]} 路灯不亮",
        place=place,
        no_photo_reason=NO_PHOTO,
    )
    scene.say("A", "上报事件及位置", "reports an incident with its place")
    update_home(scene, scene.a, scene.choices[0])


def work_on_b(scene: Scene) -> None:
    """Update the same home otherwise, make one bad edit, and a good one after it."""
    phone, title, place = scene.b.phone, scene.title, scene.place
    update_home(scene, scene.b, scene.choices[1])
    scene.ids["bad"] = acts.report_incident(
        phone,
        category=BAD_CATEGORY,
        text=f"{title[3:]} 井盖松动",
        place=place,
        no_photo_reason=NO_PHOTO,
    )
    scene.say("B", f"上报事件，误填分类 {BAD_CATEGORY}", "reports an incident under a wrong code")
    scene.ids["litter"] = acts.report_incident(
        phone,
        category=scene.category,
        text=f"{title[3:]} 垃圾未清",
        place=place,
        no_photo_reason=NO_PHOTO,
    )
    scene.say("B", "又上报一件，填写无误", "reports another one, without a fault")


def update_home(scene: Scene, player: Player, occupancy: str) -> None:
    """Say how the home is used that both visit."""
    acts.change_occupancy(player.phone, scene.ids["household"], occupancy)
    told = wording.OCCUPANCY[occupancy]
    scene.say(player.letter, f"更新同一户：{told}", "updates the home that both visit")


def try_to_sync(scene: Scene) -> None:
    """Try without a network: it says so, and every edit stays."""
    for player in scene.players:
        unsent = len(player.phone.replica.outbox())
        try:
            player.phone.sync()
        except Away:
            scene.say(player.letter, f"同步：无网络，{unsent} 条编辑都在手机上",
                      f"sync: no network, {unsent} edits are kept")  # fmt: skip
        else:
            raise Untrue("without a network nothing is synced")
        expect(len(player.phone.replica.outbox()) == unsent, "no edit is lost")


def come_back(scene: Scene) -> None:
    """Sync both, and A once more, to see what B did."""
    scene.tell("④ 恢复网络，同步 / back online, both sync")
    for player in scene.players:
        player.phone.home.keep(server=scene.office.line.server)
    for player in (scene.a, scene.b, scene.a):
        done = player.phone.sync()
        scene.tell(f"   {player.letter} 发出 sent {done.sent} · 收到 received {done.received}")
    expect(not any(p.phone.replica.outbox() for p in scene.players), "everything was sent")


def leave(scene: Scene) -> None:
    """Withdraw the phones of this performance: nobody holds them any more."""
    for player in scene.players:
        enrolment = player.phone.home.papers.get("enrolment")
        player.phone.close()
        if enrolment:
            scene.office.ask("DELETE", f"/devices/{enrolment}")
