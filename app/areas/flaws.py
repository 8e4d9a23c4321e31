"""The faults an area file can have, each with its row and what to do about it."""

from dataclasses import dataclass

FLAWS = {
    "columns_missing": "缺少列，请补齐表头 / columns are missing: add them to the header",
    "file_unreadable": "文件无法读取，请核对格式后重新导出 / "
    "the file cannot be read: export it again",
    "file_too_large": "文件过大，请分批导入 / the file is too large: split it",
    "layer_unclear": "请用 --layer 指明图层 / say with --layer which layer to read",
    "not_degrees": "坐标系不是经纬度，请转为 EPSG:4326 或 4490 / "
    "not in degrees: export as EPSG:4326 or 4490",
    "unknown_level": "层级应为 city、county、township 或 village / "
    "say city, county, township or village as level",
    "code_length": "代码位数不符：市县 6、乡镇 9、村 12、网格 15 / "
    "wrong code length: 6 digits for city and county, 9 township, 12 village, 15 grid",
    "duplicate_code": "代码重复，只保留一行 / this code occurs twice: keep one row",
    "name_missing": "缺少名称 / the name is missing: fill it in",
    "name_damaged": "名称含乱码，请按原字更正 / the name holds a damaged letter: put the right one",
    "text_too_long": "文字过长，请缩短 / the text is too long: shorten it",
    "parent_missing": "上级单位不存在，请先导入上级 / "
    "the parent is unknown: import it first or mend its code",
    "parent_level": "上级单位须恰高一级 / "
    "the parent must be exactly one level higher: mend parent_code",
    "circle": "上下级成环，请更正 parent_code / "
    "the units are each other's parents: mend parent_code",
    "parent_ended": "上级单位已撤销，请改挂现有单位 / the parent has ended: name one that stands",
    "edition_older": "已导入更新的版本，请按日期先后导入 / "
    "a later edition stands: import editions oldest first",
    "unknown_area": "没有此代码的单位，请先导入区划 / "
    "no unit has this code: import the divisions first",
    "geometry_missing": "缺少图形 / the geometry is missing or empty: draw it or drop the row",
    "geometry_type": "只接受 Polygon 或 MultiPolygon / only Polygon or MultiPolygon are taken",
    "geometry_malformed": "坐标数组有误：环须闭合且不少于 4 点 / "
    "a ring must be closed and have 4 points or more",
    "out_of_range": "坐标越界，请按经度、纬度顺序填写 / "
    "out of range: longitude first, then latitude",
    "self_intersection": "图形自相交，请在制图软件中修复 / "
    "the border crosses itself: mend it in the drawing program",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One fault: the row counts from 1, the header not counted; row 0 is the file itself."""

    row: int
    code: str
    subject: str = ""

    def __str__(self) -> str:
        place = f"第 {self.row} 行 / row {self.row}" if self.row else "文件 / file"
        subject = f" [{self.subject}]" if self.subject else ""
        return f"{place}{subject}: {FLAWS[self.code]} ({self.code})"


class FlawedFile(ValueError):
    """The file as a whole cannot be used; its flaw says why and what to do."""

    def __init__(self, code: str, subject: str = "") -> None:
        self.flaw = Flaw(0, code, subject)
        super().__init__(str(self.flaw))
