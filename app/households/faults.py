"""The codes that only households give to edits and fields, in words."""

from collections.abc import Mapping

from app.core.refusals import Advice

FAULTS: Mapping[str, Advice] = {
    "bands_exceed_total": Advice(
        "各年龄段之和超过总人数", "The age bands exceed the total",
        "核对各年龄段人数", "Check the numbers of each band."),
    "consent_missing": Advice(
        "缺少有效的同意：{purpose}", "No consent is in force for it: {purpose}",
        "先征求并登记同意，再放行", "Ask, take the consent down, then let it through."),
    "consent_withdrawn": Advice(
        "住户已拒绝或撤回同意，内容未保存", "They declined or withdrew; nothing is kept",
        "无须再做；住户主动同意后再登记",
        "Nothing is left to do; take it down anew if they agree later."),
    "consent_too_long": Advice(
        "同意的有效期过长，最迟到 {latest}", "It would hold too long; at most until {latest}",
        "改为允许的期限", "Give an earlier end."),
    "not_part_of_verb": Advice(
        "不属于这种变动", "It is no part of this", "去掉该项", "Leave it out."),
    "not_in_household": Advice(
        "有人不在该住户内", "Somebody does not belong to the household",
        "同步后重新选择", "Sync and choose again."),
    "id_taken": Advice(
        "编号已被占用", "There is a record of this id already",
        "使用新的编号", "Use a new id."),
    "in_the_future": Advice(
        "时间在将来", "It lies in the future", "核对时间", "Check the time."),
    "identity_number_found": Advice(
        "文字中有身份证号码，不得保存", "The text holds the number of an identity card",
        "删去号码后保存", "Remove the number and save it again."),
    "account_number_found": Advice(
        "文字中有银行卡号，不得保存", "The text holds the number of a bank card",
        "删去号码后保存", "Remove the number and save it again."),
    "phone_found": Advice(
        "文字中有电话号码", "The text holds a telephone number",
        "从备注中删去，经同意后登记为联系方式",
        "Remove it from the note; take it down as a contact with consent."),
}  # fmt: skip
