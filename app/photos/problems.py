"""What the photo lane refuses, in words."""

from app.core.problems import Words

PROBLEMS = {
    "photo_forbidden": Words(
        "No photo may be taken of this", "此类事项不允许拍照", "Describe it in words instead."
    ),
    "photo_required": Words(
        "A photo is asked for here", "此处须附照片",
        "Take one (photo_count), or say why there is none (no_photo_reason).",
    ),
    "photo_type_refused": Words(
        "This is no picture of a type that we take", "照片格式不支持", "Send JPEG, PNG or WebP."
    ),
    "photo_damaged": Words("The picture is damaged", "照片已损坏", "Take it again."),
    "photo_too_large": Words(
        "The picture has too many pixels", "照片像素过多", "Take it with a smaller size."
    ),
    "photo_not_ready": Words(
        "The picture is not ready yet", "照片尚未就绪", "Try again when its state is `ready`."
    ),
    "wrong_bytes": Words(
        "The bytes are not those that were announced", "内容与预告不符", "Send it again from 0."
    ),
    "wrong_length": Words(
        "The length is not the one that was announced", "长度与预告不符", "See size_bytes."
    ),
    "wrong_offset": Words(
        "The bytes do not go on where they ended", "续传位置不符", "Ask with HEAD, go on there."
    ),
    "checksum_mismatch": Words(
        "These bytes were damaged on the way", "传输校验不符", "Send them again."
    ),
    "upload_taken_over": Words(
        "A newer request goes on with this upload", "已由新的请求续传", "Ask with HEAD."
    ),
    "upload_expired": Words(
        "The upload was given up after days without a byte", "上传已过期", "POST it again."
    ),
    "upload_quota": Words(
        "Enough uploaded for today", "今日上传已达上限", "Go on after midnight (see Retry-After)."
    ),
    "storage_busy": Words(
        "The photo store is not taking more just now", "照片存储暂不可用", "Come again later."
    ),
    "tus_version": Words("Another version of tus", "tus 版本不支持", "Send Tus-Resumable: 1.0.0."),
    "address_expired": Words(
        "This address has expired", "地址已失效", "Ask for a new one; it is good for 5 minutes."
    ),
}  # fmt: skip
