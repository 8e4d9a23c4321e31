"""The problems of keys, in words."""

from app.core.problems import Words

PROBLEMS = {
    "key_destroyed": Words(
        "This was destroyed with its key and cannot be read any more",
        "该内容已随密钥销毁，无法再读取",
        "Nobody can bring it back; take it down anew if it is needed.",
    ),
    "key_is_current": Words(
        "This key seals what is written now", "该密钥正在使用", "Make another one first."
    ),
    "key_in_use": Words(
        "Something is still sealed with this key",
        "仍有内容以该密钥密封",
        "Run `flask keys rotate` to its end; uploads under way end by themselves.",
    ),
    "key_is_root": Words(
        "This key is FIELD_KEY itself and still needed for others",
        "该密钥即 FIELD_KEY，仍用于其他密钥",
        "Name another root key in FIELD_KEY_CURRENT, restart, and run `flask keys rewrap`.",
    ),
    "keys_used_up": Words(
        "All 255 key numbers have been used", "密钥编号已用完", "Ask the makers of the server."
    ),
    "rotation_under_way": Words(
        "Keys are being changed already", "密钥轮换正在进行", "Wait until it is done."
    ),
}
