"""What exports refuse, in words."""

from app.core.problems import Words

PROBLEMS = {
    "export_not_ready": Words(
        "The file is not there yet", "文件尚未就绪", "Ask again when its state is `ready`."
    ),
    "export_expired": Words(
        "The file has been deleted after 24 hours", "文件已满 24 小时，已删除", "Ask for it anew."
    ),
    "too_many_exports": Words(
        "You have three exports under way", "已有三个导出正在进行",
        "Wait until one of them is ready, refused or seven days old.",
    ),
    "too_many_rows": Words(
        "Too many rows for a GeoPackage", "行数过多，GeoPackage 无法容纳",
        "Choose a smaller area, or GeoJSON.",
    ),
}  # fmt: skip
